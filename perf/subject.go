package main

import "context"

// subject is a way to count sockets: l4stat's, or a peer's.
type subject struct {
	name string
	// open makes it ready, as a program is that runs for long. count then counts
	// the sockets of this network namespace once, and gives how many TCP sockets
	// it saw. What it holds open goes with the process.
	open func(ctx context.Context) (count func() (tcp int, err error), err error)
}

// peers are what people use today.
var peers = []subject{ss, procfsTables, vishvananda, gopsutil, telegraf}

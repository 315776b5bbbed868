package main

import (
	"context"
	"syscall"

	"github.com/shirou/gopsutil/v3/net"
)

// gopsutil is what DataKit's netstat input calls, and Telegraf's in its v4.
var gopsutil = subject{`gopsutil/v3 Connections("all")`, func(ctx context.Context) (func() (int, error), error) {
	return func() (int, error) {
		conns, err := net.ConnectionsWithContext(ctx, "all")
		tcp := 0
		for _, c := range conns {
			if c.Type == syscall.SOCK_STREAM && c.Family != syscall.AF_UNIX {
				tcp++
			}
		}
		return tcp, err
	}, nil
}}

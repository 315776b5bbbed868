package main

import (
	"context"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// vishvananda dumps the four tables by vishvananda/netlink.
var vishvananda = subject{"vishvananda/netlink SocketDiagTCP, UDP", func(context.Context) (func() (int, error), error) {
	return func() (int, error) {
		tcp := 0
		for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} {
			sockets, err := netlink.SocketDiagTCP(family)
			if err != nil {
				return 0, err
			}
			tcp += len(sockets)
			if _, err := netlink.SocketDiagUDP(family); err != nil {
				return 0, err
			}
		}
		return tcp, nil
	}, nil
}}

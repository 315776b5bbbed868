package main

import (
	"context"
	"fmt"

	"github.com/prometheus/procfs"
)

// procfsTables reads /proc/net/{tcp,tcp6,udp,udp6} by prometheus/procfs, which
// calls that deprecated, in favour of netlink; agents do it all the same.
var procfsTables = subject{"prometheus/procfs NetTCP, NetUDP", func(context.Context) (func() (int, error), error) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return nil, fmt.Errorf("procfs: %w", err)
	}
	return func() (int, error) {
		tcp, err := fs.NetTCP() //lint:ignore SA1019 it is what is measured
		if err != nil {
			return 0, err
		}
		tcp6, err := fs.NetTCP6() //lint:ignore SA1019 it is what is measured
		if err != nil {
			return 0, err
		}
		if _, err := fs.NetUDP(); err != nil {
			return 0, err
		}
		_, err = fs.NetUDP6()
		return len(tcp) + len(tcp6), err
	}, nil
}}

package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/l4stat/l4stat/internal/load"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/metric"
	"github.com/l4stat/l4stat/netstat/socket"
)

// gather is l4stat with these groups.
func gather(name string, groups []netstat.Group, pid bool) subject {
	return subject{name, func(ctx context.Context) (func() (int, error), error) {
		c := netstat.DefaultConfig()
		c.Groups, c.PID, c.Source = groups, pid, socket.Netlink
		collector, err := netstat.New(c)
		if err != nil {
			return nil, err
		}
		return func() (int, error) {
			metrics, err := collector.Gather(ctx)
			return tcpSockets(metrics), err
		}, nil
	}}
}

// query is a listing of sockets by the library.
func query(name string, q socket.Query) subject {
	return subject{name, func(ctx context.Context) (func() (int, error), error) {
		source, err := socket.Open(socket.Netlink, socket.Options{})
		if err != nil {
			return nil, err
		}
		return func() (int, error) {
			n := 0
			err := source.Each(ctx, q, func(*socket.Socket) error { n++; return nil })
			return n, err
		}, nil
	}}
}

// tcpSockets adds up the host's TCP sockets.
func tcpSockets(metrics []metric.Metric) int {
	tcp := 0
	for _, m := range metrics {
		if m.Name != "netstat" {
			continue
		}
		for _, f := range m.Fields {
			if n, ok := f.Value.Int(); ok && strings.HasPrefix(f.Key, "tcp_") {
				tcp += int(n)
			}
		}
	}
	return tcp
}

const (
	groupCount      = 20
	entriesPerGroup = 5
)

// busyGroups are 20 groups with 100 entries of all kinds, where the sockets of
// package load are: three ports, one port of one address and one of a network in
// each group.
func busyGroups() []netstat.Group {
	groups := make([]netstat.Group, groupCount)
	for i := range groups {
		port := uint16(load.FirstPort + i*entriesPerGroup)
		groups[i] = netstat.Group{
			Ports: []string{
				fmt.Sprint(port), fmt.Sprint(port + 1), fmt.Sprint(port + 2),
				load.Listener(port + 3).String(),
				fmt.Sprintf("127.1.0.0/16:%d", port+4),
			},
			Tags: map[string]string{"service": fmt.Sprint("s", i)},
		}
	}
	return groups
}

// idleGroups are n groups of five ports where there are no sockets.
func idleGroups(n int) []netstat.Group {
	groups := make([]netstat.Group, n)
	for i := range groups {
		for j := range entriesPerGroup {
			groups[i].Ports = append(groups[i].Ports, fmt.Sprint(1+i*entriesPerGroup+j))
		}
	}
	return groups
}

package main

import (
	"context"
	"fmt"
	"time"

	"github.com/l4stat/l4stat/internal/load"
	"github.com/l4stat/l4stat/netstat/socket"
)

// measureCrowd measures l4stat and its peers on one large table.
func measureCrowd(ctx context.Context, s settings) ([]section, error) {
	c, err := newCrowd()
	if err != nil {
		return nil, err
	}
	defer c.load.Close()
	if err := c.grow(ctx, s.Sockets*5/4); err != nil {
		return nil, err
	}
	var sections []section
	for _, measure := range []func(context.Context, settings, *crowd) (section, error){comparePeers, comparePID, compareOwners, compareQueries} {
		section, err := measure(ctx, s, c)
		if err != nil {
			return nil, err
		}
		sections = append(sections, section)
	}
	return sections, nil
}

// round is how long a round of all peers may take: the slowest need some seconds
// each.
const round = 25 * time.Second

// comparePeers measures Gather beside what else counts sockets.
func comparePeers(ctx context.Context, s settings, c *crowd) (section, error) {
	ours := gather("l4stat: 20 groups, 100 entries, pid", busyGroups(), true)
	subjects := append([]subject{ours, bareLoop, bareLoopOnce}, peers...)
	all, err := compare(ctx, subjects, s.Rounds, func() error { return c.steady(ctx, round) })
	if err != nil {
		return section{}, err
	}
	sec := section{
		Title: "Beside its peers",
		Text: fmt.Sprintf("%s sockets: %s held by %d processes, %s in TIME_WAIT. Medians of %d rounds, in each of which all count the same sockets in turn; the ratios are medians of the rounds' ratios.",
			thousands(c.size()), thousands(c.load.Held()), len(c.load.PIDs()), thousands(c.timeWait), s.Rounds),
		Header: []string{"", "wall", "CPU", "wall / bare loop", "CPU / bare loop", "allocated", "allocations", "TCP sockets seen"},
	}
	gathered, bare := all[0], all[1]
	for i, subject := range subjects {
		r := all[i]
		heapSize, allocations := size(r.of(heap)), figure(r.of(allocs))
		if subject.name == ss.name {
			heapSize, allocations = "", ""
		}
		sec.Rows = append(sec.Rows, []string{
			subject.name, milliseconds(r.of(wall)), milliseconds(r.of(cpu)),
			figure(r.ratio(bare, wall)), figure(r.ratio(bare, cpu)),
			heapSize, allocations, thousands(int(r.of(tcp))),
		})
	}
	sec.Claims = []claim{
		{What: "Gather / bare loop, wall", Value: gathered.ratio(bare, wall), Bound: 1.15},
		{What: "Gather / bare loop, CPU", Value: gathered.ratio(bare, cpu), Bound: 1.15},
	}
	for i, peer := range peers {
		least := 1.5
		if peer.name == gopsutil.name {
			least = 25
		}
		r := all[len(subjects)-len(peers)+i]
		sec.Claims = append(sec.Claims, claim{What: peer.name + " / Gather, wall", Value: r.ratio(gathered, wall), Least: true, Bound: least})
	}
	return sec, nil
}

// comparePID measures what pid costs once owners are known.
func comparePID(ctx context.Context, s settings, c *crowd) (section, error) {
	all, err := compare(ctx, []subject{
		gather("pid = true", busyGroups(), true),
		gather("pid = false", busyGroups(), false),
	}, 6*s.Rounds, func() error { return c.steady(ctx, 5*time.Second) })
	if err != nil {
		return section{}, err
	}
	on, off := all[0], all[1]
	return section{
		Title:  "The owners of rows, once known",
		Text:   fmt.Sprintf("Gather with 20 groups and 100 entries, as above; medians of %d rounds.", 6*s.Rounds),
		Header: []string{"", "wall", "CPU", "allocations"},
		Rows: [][]string{
			{"`pid = true`", milliseconds(on.of(wall)), milliseconds(on.of(cpu)), figure(on.of(allocs))},
			{"`pid = false`", milliseconds(off.of(wall)), milliseconds(off.of(cpu)), figure(off.of(allocs))},
		},
		Claims: []claim{
			{What: "Gather with pid / without, wall", Value: on.ratio(off, wall), Bound: 1.05},
			{What: "Gather with pid / without, CPU", Value: on.ratio(off, cpu), Bound: 1.05},
			{What: "allocations of a Gather with pid", Value: on.of(allocs), Bound: 200},
		},
	}, nil
}

// compareQueries measures queries that the kernel filters.
func compareQueries(ctx context.Context, s settings, c *crowd) (section, error) {
	tcp4and6 := []socket.Table{socket.TCP4, socket.TCP6}
	port := socket.PortRange{First: load.FirstPort, Last: load.FirstPort}
	subjects := []subject{
		query("every TCP socket", socket.Query{Tables: tcp4and6}),
		query("one local port", socket.Query{Tables: tcp4and6, LocalPorts: port}),
		query("only LISTEN", socket.Query{Tables: tcp4and6, States: socket.States(socket.StateListen)}),
	}
	all, err := compare(ctx, subjects, 2*s.Rounds, func() error { return c.steady(ctx, 5*time.Second) })
	if err != nil {
		return section{}, err
	}
	sec := section{
		Title:  "Queries for some of the sockets",
		Text:   "`Source.Each` of `netstat/socket`, filtered by the kernel.",
		Header: []string{"", "sockets", "wall", "CPU", "wall / every", "CPU / every"},
	}
	for i, subject := range subjects {
		r := all[i]
		sec.Rows = append(sec.Rows, []string{subject.name, thousands(int(r.of(tcp))), milliseconds(r.of(wall)), milliseconds(r.of(cpu)),
			figure(r.ratio(all[0], wall)), figure(r.ratio(all[0], cpu))})
		if i > 0 {
			sec.Claims = append(sec.Claims, claim{What: subject.name + " / every TCP socket, wall", Value: r.ratio(all[0], wall), Bound: 0.5})
		}
	}
	return sec, nil
}

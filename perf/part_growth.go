package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// sizes are the numbers of sockets that growth is measured at.
var sizes = []int{1_000, 2_000, 5_000, 10_000, 20_000, 50_000, 100_000, 200_000}

// line is one subject's cost at each size.
type line struct {
	name    string
	seconds []float64 // of CPU
	allocs  []float64
}

// measureGrowth measures how the cost grows with the sockets.
func measureGrowth(ctx context.Context, s settings) ([]section, error) {
	c, err := newCrowd()
	if err != nil {
		return nil, err
	}
	defer c.load.Close()
	const busy = 0
	none, idle := gather("l4stat: no groups", nil, false), gather("l4stat: 100 idle groups, 500 entries", idleGroups(100), false)
	subjects := []subject{
		gather("l4stat: 20 groups, 100 entries, pid", busyGroups(), true),
		none,
		idle,
		bareLoop,
		gopsutil,
	}
	lines := make([]line, len(subjects))
	header := []string{"sockets"}
	for i, subject := range subjects {
		lines[i].name = subject.name
		header = append(header, subject.name)
	}
	sec := section{
		Title:  "As the sockets grow",
		Text:   fmt.Sprintf("CPU time of one call, medians of %d rounds, and the allocations of l4stat with groups.", s.Rounds),
		Header: append(header, "allocations of a Gather"),
	}
	for _, n := range sizes {
		if err := c.grow(ctx, n); err != nil {
			return nil, err
		}
		all, err := compare(ctx, subjects, s.Rounds, func() error { return c.steady(ctx, 15*time.Second) })
		if err != nil {
			return nil, err
		}
		row := []string{thousands(n)}
		for i, r := range all {
			lines[i].seconds = append(lines[i].seconds, r.of(cpu))
			lines[i].allocs = append(lines[i].allocs, r.of(allocs))
			row = append(row, milliseconds(r.of(cpu)))
		}
		sec.Rows = append(sec.Rows, append(row, figure(all[busy].of(allocs))))
	}
	pair, err := compare(ctx, []subject{idle, none}, 4*s.Rounds, func() error { return c.steady(ctx, 5*time.Second) })
	if err != nil {
		return nil, err
	}
	memory, err := measureMemory(ctx, s, c)
	if err != nil {
		return nil, err
	}
	// at gives a figure of l4stat's at a size.
	at := func(figures []float64, n int) float64 { return figures[slices.Index(sizes, n)] }
	costs, allocations := lines[busy].seconds, lines[busy].allocs
	sec.Claims = []claim{
		{What: "allocations of a Gather at 100,000 sockets / at 1,000", Value: at(allocations, 100_000) / at(allocations, 1_000), Bound: 1},
		{What: "R² of the straight line through Gather's cost, 1,000 to 200,000 sockets", Value: linearity(costs), Least: true, Bound: 0.98},
		{What: "Gather's cost for a socket at 200,000 / at 10,000, CPU", Value: at(costs, 200_000) / 20 / at(costs, 10_000), Bound: 1.5},
		{What: "Gather with 100 idle groups / with none, at 200,000 sockets, CPU", Value: pair[0].ratio(pair[1], cpu), Bound: 1.05},
	}
	if s.Plot != "" {
		if err := plotLines(s.Plot, lines); err != nil {
			return nil, err
		}
	}
	return []section{sec, memory}, nil
}

// linearity gives the coefficient of determination, R², of the least-squares line
// through the costs at sizes: 1 for a line, less the more they stray from one.
func linearity(costs []float64) float64 {
	n := float64(len(sizes))
	var sx, sy, sxx, sxy, syy float64
	for i, y := range costs {
		x := float64(sizes[i])
		sx, sy, sxx, sxy, syy = sx+x, sy+y, sxx+x*x, sxy+x*y, syy+y*y
	}
	return math.Pow(n*sxy-sx*sy, 2) / ((n*sxx - sx*sx) * (n*syy - sy*sy))
}

package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

const (
	manyAddresses = 60_000
	rowGathers    = 20
	// afterPeak is how long the program has to give memory back. The runtime
	// collects garbage after two minutes at the latest.
	afterPeak = 135 * time.Second
)

// measureRows measures l4stat emit with an entry that takes every port by address,
// while there are many TIME_WAITs with an address each, and after they have gone.
func measureRows(ctx context.Context, s settings) (_ []section, err error) {
	c, err := newCrowd()
	if err != nil {
		return nil, err
	}
	defer c.load.Close()
	if err := c.load.Hold(ctx, 2*perProcess); err != nil {
		return nil, err
	}
	e, err := startEmit(ctx, s.Program, 500*time.Millisecond, `[[inputs.netstat.addr_ports]]
ports_match = ["*:1-65535"]
`)
	if err != nil {
		return nil, err
	}
	defer func() {
		e.diag.Reset() // it warns that there are more addresses than rows
		err = errors.Join(err, e.end())
	}()
	m := rowMeasurement{emit: e}
	quiet, err := m.run(ctx, rowGathers)
	if err != nil {
		return nil, err
	}
	if err := c.load.TimeWait(ctx, manyAddresses); err != nil {
		return nil, err
	}
	crowded, err := m.run(ctx, rowGathers)
	if err != nil {
		return nil, err
	}
	after := crowded
	for end := time.Now().Add(timeWaitLife + afterPeak); time.Now().Before(end); {
		if after, err = m.run(ctx, rowGathers); err != nil {
			return nil, err
		}
	}
	sec := section{
		Title: "Many addresses",
		Text: fmt.Sprintf("`l4stat emit` with `ports_match = [\"*:1-65535\"]` and pid; %s sockets held, and %s in TIME_WAIT, nearly each at an address and port of its own. Averages of %d gathers.",
			thousands(c.load.Held()), thousands(manyAddresses), rowGathers),
		Header: []string{"", "rows", "CPU of a gather", "VmRSS", "VmHWM"},
	}
	for _, r := range []struct {
		name string
		rowFigures
	}{{"before", quiet}, {"with the TIME_WAITs", crowded}, {fmt.Sprintf("%v after they have gone", afterPeak), after}} {
		sec.Rows = append(sec.Rows, []string{r.name, thousands(r.rows), milliseconds(r.cpu), size(float64(r.rss)), size(float64(r.peak))})
	}
	sec.Claims = []claim{
		{What: "rows of l4stat emit at 60,000 addresses", Value: float64(crowded.rows), Bound: 1010},
		{What: "peak resident memory of l4stat emit at 60,000 addresses", Value: float64(crowded.peak) / (1 << 20), Unit: " MiB", Bound: 64},
		{What: "resident memory after, to before", Value: float64(after.rss) / float64(quiet.rss), Bound: 1.5},
	}
	return []section{sec}, nil
}

// rowMeasurement measures a running emit.
type rowMeasurement struct {
	*emit
	next *row
}

type rowFigures struct {
	rows      int     // of the last gather
	cpu       float64 // seconds, of a gather
	rss, peak int64
}

// run measures n gathers.
func (m *rowMeasurement) run(ctx context.Context, n int) (f rowFigures, err error) {
	pid := m.cmd.Process.Pid
	before, err := processCPU(pid)
	if err != nil {
		return f, err
	}
	for range n {
		if ctx.Err() != nil {
			return f, context.Cause(ctx)
		}
		var g gatherRows
		if g, m.next, err = m.gather(m.next); err != nil {
			return f, err
		}
		f.rows = len(g.rows)
	}
	after, err := processCPU(pid)
	if err != nil {
		return f, err
	}
	f.cpu = (after - before).Seconds() / float64(n)
	if f.rss, err = procStatus(pid, "VmRSS"); err != nil {
		return f, err
	}
	f.peak, err = procStatus(pid, "VmHWM")
	return f, err
}

// processCPU returns the CPU time that a process has used: its clock, whose id is
// made of the pid (include/linux/posix-timers.h, make_process_cpuclock).
func processCPU(pid int) (time.Duration, error) {
	const sched = 2 // CPUCLOCK_SCHED
	var t unix.Timespec
	if err := unix.ClockGettime(^int32(pid)<<3|sched, &t); err != nil {
		return 0, fmt.Errorf("CPU time of process %d: %w", pid, err)
	}
	return time.Duration(t.Nano()), nil
}

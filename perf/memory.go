package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// gathers is how many times emit gathers before its memory is read.
const gathers = 20

// measureMemory runs l4stat emit on the crowd and reads its peak memory.
func measureMemory(ctx context.Context, s settings, c *crowd) (section, error) {
	if err := c.steady(ctx, 20*time.Second); err != nil {
		return section{}, err
	}
	e, err := startBusyEmit(ctx, s.Program, 200*time.Millisecond)
	if err != nil {
		return section{}, err
	}
	seen := 0
	for seen < gathers && err == nil {
		var row row
		if row, err = e.next(); row.measurement == "netstat" && row.version == "4" {
			seen++
		}
	}
	var peak int64
	if err == nil {
		peak, err = procStatus(e.cmd.Process.Pid, "VmHWM")
	}
	if err = errors.Join(err, e.end()); err != nil {
		return section{}, err
	}
	return section{
		Title:  "Memory of `l4stat emit`",
		Text:   fmt.Sprintf("With 20 groups, 100 entries and pid, after %d gathers of %s sockets.", gathers, thousands(c.size())),
		Header: []string{"", "peak resident memory (VmHWM)"},
		Rows:   [][]string{{"`l4stat emit`", size(float64(peak))}},
		Claims: []claim{{What: "peak resident memory of l4stat emit at 200,000 sockets", Value: float64(peak) / (1 << 20), Unit: " MiB", Bound: 25}},
	}, nil
}

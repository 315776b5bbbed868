package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/l4stat/l4stat/internal/owner"
)

// compareOwners measures a look-up that knows nothing yet beside a walk over
// /proc/*/fd, which is what finding an owner takes at the least.
func compareOwners(ctx context.Context, s settings, c *crowd) (section, error) {
	pids := c.load.PIDs()
	inode, err := socketOf(pids[len(pids)-1])
	if err != nil {
		return section{}, err
	}
	all, err := compare(ctx, []subject{
		{"cold look-up", func(ctx context.Context) (func() (int, error), error) {
			return func() (int, error) {
				rows := []owner.Row{{Inodes: []uint64{inode}}}
				err := owner.New("/proc").Find(ctx, rows)
				if err == nil && rows[0].PID != pids[len(pids)-1] {
					err = fmt.Errorf("the owner is process %d, not %d", rows[0].PID, pids[len(pids)-1])
				}
				return 0, err
			}, nil
		}},
		{"walk", func(context.Context) (func() (int, error), error) { return walk, nil }},
	}, s.Rounds, func() error { return nil })
	if err != nil {
		return section{}, err
	}
	cold, whole := all[0], all[1]
	return section{
		Title: "An owner that is not known",
		Text: fmt.Sprintf("One look-up by a new Finder, with %d processes that hold %s sockets, beside a program that lists each `/proc/PID/fd` and reads each link.",
			len(pids), thousands(int(whole.of(tcp)))),
		Header: []string{"", "wall", "CPU", "CPU / walk", "allocated"},
		Rows: [][]string{
			{"cold look-up", milliseconds(cold.of(wall)), milliseconds(cold.of(cpu)), figure(cold.ratio(whole, cpu)), size(cold.of(heap))},
			{"one walk of `/proc/*/fd`", milliseconds(whole.of(wall)), milliseconds(whole.of(cpu)), "1", size(whole.of(heap))},
		},
		Claims: []claim{
			{What: "cold look-up / one walk of /proc/*/fd, wall", Value: cold.ratio(whole, wall), Bound: 1},
			{What: "cold look-up / one walk of /proc/*/fd, CPU", Value: cold.ratio(whole, cpu), Bound: 1},
		},
	}, nil
}

// socketOf gives the inode of a socket that a process holds.
func socketOf(pid int) (inode uint64, err error) {
	links, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	if err != nil {
		return 0, err
	}
	for _, link := range links {
		target, err := os.Readlink(link)
		if err != nil {
			return 0, err
		}
		if _, err := fmt.Sscanf(target, "socket:[%d]", &inode); err == nil {
			return inode, nil
		}
	}
	return 0, fmt.Errorf("process %d holds no socket", pid)
}

// walk counts the sockets among all descriptors, with what Go's library has.
func walk() (sockets int, err error) {
	processes, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, p := range processes {
		dir := "/proc/" + p.Name() + "/fd"
		fds, err := os.ReadDir(dir)
		if err != nil {
			continue // no process, or one that ended
		}
		for _, fd := range fds {
			if target, err := os.Readlink(dir + "/" + fd.Name()); err == nil && strings.HasPrefix(target, "socket:[") {
				sockets++
			}
		}
	}
	return sockets, nil
}

package counters

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/prometheus/procfs"
)

// snmpFigure makes a figure of one that procfs has as a float64, nil where the
// kernel does not have it. Beyond 2^53 it is off by a little.
func snmpFigure[S any](f Field, get func(*S) *float64) figure[S] {
	return figure[S]{f, func(s *S) (int64, bool) {
		x := get(s)
		if x == nil {
			return 0, false
		}
		return int64(*x), true
	}}
}

// counterFigure makes a counter of one that is always there. A float64 would not
// do: a fast interface passes 2^53 bytes in days.
func counterFigure[S any](key, source, unit string, get func(*S) uint64) figure[S] {
	return alwaysFigure(Field{key, source, unit, true}, get)
}

// mounted gives procfs at root.
func mounted(root string) (procfs.FS, error) {
	all, err := procfs.NewFS(root)
	if err != nil {
		return all, fmt.Errorf("%w; mount procfs and name it in HOST_PROC", err)
	}
	return all, nil
}

// self gives this process in procfs, since /proc/PID/net is of a process's
// network namespace.
func self(root string) (procfs.Proc, error) {
	all, err := mounted(root)
	if err != nil {
		return procfs.Proc{}, err
	}
	proc, err := all.Self()
	if err != nil {
		return proc, fmt.Errorf("find this process in procfs: %w", err)
	}
	return proc, nil
}

// absent reports whether a file is not there, as the kernel does without what it
// is about.
func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }

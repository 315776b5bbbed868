package counters

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/prometheus/procfs"
)

// figure is a field and where procfs has it among what S holds: nil where the
// kernel does not have it.
type figure[S any] struct {
	Field
	value func(*S) *float64
}

// fieldsOf gives the fields of figures, for a Set.
func fieldsOf[S any](figures []figure[S]) []Field {
	fields := make([]Field, len(figures))
	for i, f := range figures {
		fields[i] = f.Field
	}
	return fields
}

// valuesOf gives the figures that from has.
func valuesOf[S any](figures []figure[S], from *S) []Value {
	values := make([]Value, 0, len(figures))
	for i := range figures {
		if x := figures[i].value(from); x != nil {
			values = append(values, Value{&figures[i].Field, int64(*x)})
		}
	}
	return values
}

// self gives the process that this one is in procfs, since /proc/PID/net is of a
// process's network namespace.
func self(root string) (procfs.Proc, error) {
	all, err := procfs.NewFS(root)
	if err != nil {
		return procfs.Proc{}, fmt.Errorf("%w; mount procfs and name it in HOST_PROC", err)
	}
	return all.Self()
}

// absent reports whether a file is not there, as the kernel does without what it
// is about.
func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// optional makes a figure of an integer that may be missing.
func optional(n *int) *float64 {
	if n == nil {
		return nil
	}
	x := float64(*n)
	return &x
}

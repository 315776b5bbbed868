// Package counters reads what the kernel keeps about the network beside its
// tables of sockets: how many connections were opened, segments sent again,
// datagrams dropped, and the like. One file is one set of figures.
//
// Everything is of the network namespace that the process is in. Reading costs a
// few small files, whatever the number of sockets.
package counters

import (
	"context"
	"errors"

	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/netstat/metric"
)

// Set is the figures that belong together: one measurement.
type Set struct {
	// Name is how the configuration calls the set.
	Name string
	// Tags are the keys of the rows' tags, in order; none where there is one row.
	Tags []string
	// Fields are what a row may have.
	Fields []*metric.Desc

	read func(ctx context.Context, host kernel.Host) ([]Row, error)
}

// Row is one set of figures that was read. What a kernel does not have is left
// out of it.
type Row struct {
	Tags   []string // the values of the set's tags
	Fields []metric.Field
}

// Int returns an integer figure; ok is false if the kernel does not have it.
func (r *Row) Int(key string) (n int64, ok bool) {
	for _, f := range r.Fields {
		if f.Key == key {
			return f.Value.Int()
		}
	}
	return 0, false
}

// Read reads the set now. There are no rows where
// the kernel does without what the set is about, as conntrack. An error may come
// with rows that could be read. It is a [Missing] if all that is wrong is that the
// mount does not show some files.
func (s *Set) Read(ctx context.Context, host kernel.Host) ([]Row, error) { return s.read(ctx, host) }

// Missing is the error of a read that left out figures because procfs does not
// show their files, which stays so: each says which figures, which file, and why.
type Missing []error

func (m Missing) Error() string   { return errors.Join(m...).Error() }
func (m Missing) Unwrap() []error { return m }

// Sets gives the sets that this system has, in the order of their metrics.
func Sets() []*Set { return sets }

// Find gives the set of that name, nil where this system has none.
func Find(name string) *Set {
	for _, s := range sets {
		if s.Name == name {
			return s
		}
	}
	return nil
}

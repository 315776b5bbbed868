package watch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/l4stat/l4stat/internal/counters"
	"github.com/l4stat/l4stat/netstat/socket"
)

// Sampler takes samples of the blocks it was made for.
type Sampler struct {
	blocks  []*Block
	source  socket.Source
	root    string
	warn    func(string)
	tables  []socket.Table // that the blocks need; none is no pass over sockets
	counts  []socketCounter
	sockets int

	last []blockReading // by block: what rates are made from
	time time.Time      // of the last sample
}

// blockReading is what a block read, and when.
type blockReading struct {
	values []float64
	at     time.Time
}

// Sample is one line of figures.
type Sample struct {
	Time    time.Time
	Elapsed time.Duration // since the sample before; 0 in the first
	Cost    time.Duration // how long the reading took
	Sockets int           // that were counted
	Values  [][]float64   // by block and column; NaN is unknown
}

// NewSampler makes a Sampler of blocks. It reads sockets from source, which it
// does not close, and procfs at root. warn is told when a block cannot be read.
func NewSampler(blocks []*Block, source socket.Source, root string, warn func(string)) *Sampler {
	s := &Sampler{blocks: blocks, source: source, root: root, warn: warn, last: make([]blockReading, len(blocks))}
	for _, b := range blocks {
		if b.sockets == nil {
			continue
		}
		s.counts = append(s.counts, b.sockets)
		for _, t := range b.sockets.tables() {
			if !slices.Contains(s.tables, t) {
				s.tables = append(s.tables, t)
			}
		}
	}
	slices.Sort(s.tables)
	return s
}

// Blocks gives the blocks of the samples.
func (s *Sampler) Blocks() []*Block { return s.blocks }

// Sample reads everything now. What cannot be read is unknown, and warn is told.
// The error is that of ctx.
func (s *Sampler) Sample(ctx context.Context) (*Sample, error) {
	began := time.Now()
	sample := &Sample{Time: began, Values: make([][]float64, len(s.blocks))}
	if !s.time.IsZero() {
		sample.Elapsed = began.Sub(s.time)
	}
	s.time = began
	failed, err := s.countSockets(ctx)
	if err != nil {
		return nil, err
	}
	r := &reading{ctx: ctx, root: s.root, sets: map[string]setReading{}}
	for i, b := range s.blocks {
		now := blockReading{at: began}
		var err error
		if b.sockets != nil {
			now.values = b.sockets.values()
			err = failedTables(failed, b.sockets.tables())
		} else {
			now.values, now.at, err = b.read(r)
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			s.warn(fmt.Sprintf("--%s shows - for what cannot be read: %v", b.group, err))
			if now.values == nil || b.sockets != nil {
				now.values = unknowns(len(b.Columns))
			}
		}
		sample.Values[i] = figures(b, s.last[i], now)
		s.last[i] = now
	}
	sample.Sockets = s.sockets
	sample.Cost = time.Since(began)
	return sample, nil
}

// start makes s the first sample: one without rates.
func (s *Sampler) start(first *Sample) {
	for i, b := range s.blocks {
		first.Values[i] = figures(b, blockReading{}, s.last[i])
	}
}

// countSockets passes over the sockets, if a block needs them. The errors are
// those of tables, and of ctx.
func (s *Sampler) countSockets(ctx context.Context) (socket.TableErrors, error) {
	if len(s.tables) == 0 {
		return nil, nil
	}
	for _, c := range s.counts {
		c.reset()
	}
	s.sockets = 0
	err := s.source.Each(ctx, socket.Query{Tables: s.tables}, func(sock *socket.Socket) error {
		s.sockets++
		for _, c := range s.counts {
			c.count(sock)
		}
		return nil
	})
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	var failed socket.TableErrors
	if err != nil && !errors.As(err, &failed) {
		for _, t := range s.tables {
			failed = append(failed, socket.TableError{Table: t, Err: err})
		}
	}
	return failed, nil
}

// failedTables gives the errors of those tables that a block needs.
func failedTables(failed socket.TableErrors, needed []socket.Table) error {
	var errs socket.TableErrors
	for _, f := range failed {
		if slices.Contains(needed, f.Table) {
			errs = append(errs, f)
		}
	}
	if len(errs) == 0 {
		return nil
	}
	return errs
}

// figures makes what is shown of what was read. Rates use the time that passed
// between the two readings, however late the second is.
func figures(b *Block, before, now blockReading) []float64 {
	values := slices.Clone(now.values)
	grown := unknowns(len(values))
	var all float64
	for i, c := range b.Columns {
		if before.values == nil || c.kind == gauge {
			continue
		}
		grown[i] = now.values[i] - before.values[i]
		switch {
		case c.kind == share:
			grown[i] = max(grown[i], 0) // Linux takes back some idle time now and then
			all += grown[i]
		case grown[i] < 0:
			grown[i] = unknown // the counter began anew
		}
	}
	over := now.at.Sub(before.at).Seconds()
	for i, c := range b.Columns {
		switch {
		case c.kind == rate && over > 0:
			values[i] = grown[i] / over
		case c.kind == share && all > 0:
			values[i] = 100 * grown[i] / all
		case c.kind != gauge:
			values[i] = unknown
		}
	}
	return values
}

// reading is what blocks share in one sample.
type reading struct {
	ctx  context.Context
	root string
	sets map[string]setReading
}

type setReading struct {
	rows []counters.Row
	at   time.Time
	err  error
}

// counters reads a set of the kernel's counters, once for each sample.
func (r *reading) counters(name string) ([]counters.Row, time.Time, error) {
	s, ok := r.sets[name]
	if !ok {
		s = r.readSet(name)
		r.sets[name] = s
	}
	return s.rows, s.at, s.err
}

func (r *reading) readSet(name string) setReading {
	set := counters.Find(name)
	if set == nil {
		return setReading{err: errSystem}
	}
	s := setReading{at: time.Now()}
	s.rows, s.err = set.Read(r.ctx, r.root)
	return s
}

// fromCounters makes the read of a block whose columns are figures of a set, added
// up over its rows.
func fromCounters(set string, keys ...string) func(*reading) ([]float64, time.Time, error) {
	return func(r *reading) ([]float64, time.Time, error) {
		rows, at, err := r.counters(set)
		values := unknowns(len(keys))
		known := true
		for i, key := range keys {
			values[i] = total(rows, key)
			known = known && !math.IsNaN(values[i])
		}
		if _, others := err.(counters.Missing); others && known {
			err = nil
		}
		return values, at, err
	}
}

// total adds up a figure over rows. It is unknown where no row has it.
func total(rows []counters.Row, key string) float64 {
	sum, known := 0.0, false
	for _, row := range rows {
		if n, ok := row.Int(key); ok {
			sum, known = sum+float64(n), true
		}
	}
	if !known {
		return unknown
	}
	return sum
}

package watch

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/l4stat/l4stat/internal/counters"
	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/netstat/socket"
)

// Sampler takes samples of the blocks it was made for.
type Sampler struct {
	blocks  []*Block
	source  socket.Source
	host    kernel.Host
	warn    func(string)
	tables  []socket.Table // that the blocks need; none is no pass over sockets
	counts  []socketCounter
	sockets int

	last []blockReading // by block: what rates are made from
	time time.Time      // of the last sample
}

// blockReading is what a block read, and when.
type blockReading struct {
	parts []part
	at    time.Time
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
// does not close, and what host has. warn is told when a block cannot be read.
func NewSampler(blocks []*Block, source socket.Source, host kernel.Host, warn func(string)) *Sampler {
	s := &Sampler{blocks: blocks, source: source, host: host, warn: warn, last: make([]blockReading, len(blocks))}
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
	r := newReading(ctx, s.host)
	for i, b := range s.blocks {
		now := blockReading{at: began}
		var err error
		if b.sockets != nil {
			now.parts = whole(b.sockets.values()...)
			err = failedTables(failed, b.sockets.tables())
		} else {
			now.parts, now.at, err = b.read(r)
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err != nil {
			s.warn(fmt.Sprintf("--%s shows - for what cannot be read: %v", b.group, err))
			if b.sockets != nil {
				now.parts = nil
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
// between the two readings, however late the second is. Each part's growth is
// taken by itself and then added up: what comes, goes or begins anew between the
// two, an interface for one, has no growth that is known and takes none away from
// the others.
func figures(b *Block, before, now blockReading) []float64 {
	earlier := make(map[string][]float64, len(before.parts))
	for _, p := range before.parts {
		earlier[p.of] = p.values
	}
	values := unknowns(len(b.Columns))
	for _, p := range now.parts {
		was := earlier[p.of]
		for i, c := range b.Columns {
			switch {
			case c.kind == gauge:
				values[i] = plus(values[i], p.values[i])
			case was != nil:
				values[i] = plus(values[i], c.growth(was[i], p.values[i]))
			}
		}
	}
	over := now.at.Sub(before.at).Seconds()
	var all float64 // that the shares are of
	for i, c := range b.Columns {
		if c.kind == share && !math.IsNaN(values[i]) {
			all += values[i]
		}
	}
	for i, c := range b.Columns {
		switch {
		case c.kind == rate && over > 0:
			values[i] /= over
		case c.kind == share && all > 0:
			values[i] *= 100 / all
		case c.kind != gauge:
			values[i] = unknown
		}
	}
	return values
}

// growth returns how much a part's counter grew.
func (c *Column) growth(before, now float64) float64 {
	switch grown := now - before; {
	case grown >= 0:
		return grown
	case c.kind == share:
		return 0 // Linux takes back some idle time now and then
	default:
		return unknown // the counter began anew
	}
}

// plus adds up what is known.
func plus(sum, v float64) float64 {
	switch {
	case math.IsNaN(v):
		return sum
	case math.IsNaN(sum):
		return v
	default:
		return sum + v
	}
}

// reading is what blocks share in one sample.
type reading struct {
	ctx  context.Context
	host kernel.Host
	sets map[string]setReading
	all  map[*items]*itemReading
}

func newReading(ctx context.Context, host kernel.Host) *reading {
	return &reading{ctx: ctx, host: host, sets: map[string]setReading{}, all: map[*items]*itemReading{}}
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
	s.rows, s.err = set.Read(r.ctx, r.host)
	return s
}

// fromCounters makes the read of a block whose columns are figures of a set, added
// up over its rows.
func fromCounters(set string, keys ...string) func(*reading) ([]part, time.Time, error) {
	return func(r *reading) ([]part, time.Time, error) {
		rows, at, err := r.counters(set)
		parts := partsOf(rows, keys...)
		if _, others := err.(counters.Missing); others && known(parts, len(keys)) {
			err = nil
		}
		return parts, at, err
	}
}

// known reports whether each of the columns is known of one part at least.
func known(parts []part, columns int) bool {
	for i := range columns {
		if !slices.ContainsFunc(parts, func(p part) bool { return !math.IsNaN(p.values[i]) }) {
			return false
		}
	}
	return true
}

// partsOf takes figures of each row. What a row does not have is unknown.
func partsOf(rows []counters.Row, keys ...string) []part {
	parts := make([]part, len(rows))
	for i, row := range rows {
		values := unknowns(len(keys))
		for j, key := range keys {
			if n, ok := row.Int(key); ok {
				values[j] = float64(n)
			}
		}
		parts[i] = part{of: strings.Join(row.Tags, " "), values: values}
	}
	return parts
}

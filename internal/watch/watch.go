// Package watch is the live view of l4stat watch: what one sample reads, the
// columns that are made of it, and how they are written. One file is one group of
// columns or one way to write them.
//
// A sample costs one pass over the kernel's tables of sockets, in which sockets
// are counted and not kept, and a few small files.
package watch

import (
	"context"
	"fmt"
	"time"

	"github.com/l4stat/l4stat/internal/poll"
)

// Output takes the samples of a run.
type Output interface {
	// Row takes a sample.
	Row(*Sample) error
	// End takes what the run was like over all. It is not called after an error
	// of Row.
	End(*Summary) error
}

// Options say how to run.
type Options struct {
	Sampler *Sampler
	Delay   time.Duration // between samples
	Count   int           // how many samples; 0 is until the context ends
	Outputs []Output
	// Warn is told of what does not end the run: a group that cannot be read, a
	// sample that is late.
	Warn func(message string)
}

// Run takes a sample at once and then after each delay, until Count samples have
// been taken or ctx is done; then the outputs get the summary. The delay is refused with a
// [DelayError] before there is any output when a sample takes longer than it.
// When samples come to take longer later, as the tables grow, the delay is made
// longer, and Warn is told.
func Run(ctx context.Context, o Options) error {
	sample, err := first(ctx, &o)
	if ctx.Err() != nil {
		return nil // there is nothing to write yet
	}
	if err != nil {
		return err
	}
	summary := newSummary(o.Sampler.Blocks())
	tick := time.NewTicker(o.Delay)
	defer tick.Stop()
	pace := poll.Pace{Interval: o.Delay}
	for n := 1; ; n++ {
		summary.add(sample)
		for _, out := range o.Outputs {
			if err := out.Row(sample); err != nil {
				return err
			}
		}
		if n == o.Count {
			break
		}
		if pace.Slower(sample.Cost) {
			pace = poll.Pace{Interval: poll.Enough(sample.Cost)}
			tick.Reset(pace.Interval)
			o.Warn(fmt.Sprintf("samples take %s, so the delay is %s from here", poll.Short(sample.Cost), poll.Short(pace.Interval)))
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			break
		}
		if sample, err = o.Sampler.Sample(ctx); err != nil {
			if ctx.Err() != nil {
				break
			}
			return err
		}
		if late := sample.Elapsed - pace.Interval; late > max(pace.Interval/2, worthSaying) {
			o.Warn(fmt.Sprintf("a late line: its rates are over %s, not %s", poll.Short(sample.Elapsed), poll.Short(pace.Interval)))
		}
	}
	for _, out := range o.Outputs {
		if err := out.End(summary); err != nil {
			return err
		}
	}
	return nil
}

// worthSaying is how late a sample must be at least to be called late.
const worthSaying = 50 * time.Millisecond

// first takes the first sample. It may be slow for what happens once, so only
// several that are too slow speak against the delay.
func first(ctx context.Context, o *Options) (*Sample, error) {
	const tries = 5
	var fastest *Sample
	for range tries {
		s, err := o.Sampler.Sample(ctx)
		if err != nil {
			return nil, err
		}
		s.Elapsed = 0
		if s.Cost <= o.Delay {
			o.Sampler.start(s)
			return s, nil
		}
		if fastest == nil || s.Cost < fastest.Cost {
			fastest = s
		}
	}
	return nil, &DelayError{Delay: o.Delay, Cost: fastest.Cost, Sockets: fastest.Sockets, Enough: poll.Enough(fastest.Cost)}
}

// DelayError is a delay in which no sample can be taken.
type DelayError struct {
	Delay, Cost time.Duration
	Sockets     int
	Enough      time.Duration // a delay that would do
}

// Error says what takes so long, and what delay would do.
func (e *DelayError) Error() string {
	return fmt.Sprintf("delay %v: a sample takes %s here, with %d sockets to count; give %v or more",
		e.Delay.Seconds(), poll.Short(e.Cost), e.Sockets, e.Enough.Seconds())
}

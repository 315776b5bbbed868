// Package poll does something again and again.
package poll

import (
	"context"
	"fmt"
	"time"
)

// Every calls fn at once and then at the interval, until ctx ends or fn returns
// an error, which is Every's. When fn takes longer than the interval, calls are
// left out rather than made up for; slow, if non-nil, is told once of an interval
// that calls keep taking longer than.
func Every(ctx context.Context, interval time.Duration, slow func(*SlowError), fn func() error) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	pace := Pace{Interval: interval, For: lasting}
	for {
		began := time.Now()
		if err := fn(); err != nil {
			return err
		}
		if took := time.Since(began); slow != nil && pace.Slower(took) {
			slow(&SlowError{Interval: interval, Took: took})
			slow = nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// lasting is for how long calls must be slow before somebody hears of it: a machine
// may be busy for a moment.
const lasting = 2 * time.Second

// SlowError is an interval that cannot be kept.
type SlowError struct {
	Interval time.Duration
	Took     time.Duration // by the last call
}

// Error says how long a call takes, and what interval would do.
func (e *SlowError) Error() string {
	return fmt.Sprintf("an interval of %v cannot be kept: a round takes %v here; %v would do",
		e.Interval, Short(e.Took), Enough(e.Took))
}

// Pace finds out that an interval cannot be kept. One slow call, or two, is no
// reason to say so.
type Pace struct {
	Interval time.Duration
	For      time.Duration // that slow calls must take together

	slow int           // calls in a row that took longer
	took time.Duration // by them together
}

// Slower takes note of how long a call took, and reports whether it is at least
// the third in a row that took longer than the interval, and they took For.
func (p *Pace) Slower(took time.Duration) bool {
	const often = 3
	if took <= p.Interval {
		p.slow, p.took = 0, 0
		return false
	}
	p.slow++
	p.took += took
	return p.slow >= often && p.took >= p.For
}

// Enough returns an interval of one digit that leaves half of the time to others
// when a call takes that long.
func Enough(took time.Duration) time.Duration {
	d := time.Millisecond
	for 10*d <= 2*took {
		d *= 10
	}
	return (2*took + d - 1) / d * d
}

// Short rounds a duration to three digits or so.
func Short(d time.Duration) time.Duration {
	switch {
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	case d > time.Millisecond:
		return d.Round(10 * time.Microsecond)
	default:
		return d
	}
}

package owner

import "time"

// budget is what walks over descriptors may cost, in processor time. Over time
// that is share of a core. What is not spent is kept, up to saved; a listener
// that has to be found now may be paid for from later, up to owed.
//
// Whoever makes the host open and close listeners without end can thus use up
// the budget, so that rows get their pid late, but no more than that.
type budget struct {
	now   func() time.Time
	used  func() time.Duration // this thread's processor time
	left  time.Duration
	last  time.Time     // of the last call of Find
	since time.Duration // between that and the one before
}

const (
	share = 50 // one part in 50: 2 %
	saved = 200 * time.Millisecond
	owed  = 2 * time.Second

	// A walk that can wait takes no more than one part in slice of the time since
	// the look-up before, or leastSlice, so that no gather is late because of it.
	slice      = 10
	leastSlice = 5 * time.Millisecond
)

func newBudget() budget { return budget{now: time.Now, used: cpuTime, left: saved} }

// begin has the time pass since the call before.
func (b *budget) begin() {
	now := b.now()
	if !b.last.IsZero() {
		b.since = now.Sub(b.last)
	}
	b.last = now
	b.left = min(b.left+b.since/share, saved)
}

// allow returns what this call may spend.
func (b *budget) allow(urgent bool) time.Duration {
	if urgent {
		return b.left + owed
	}
	return min(b.left, max(b.since/slice, leastSlice))
}

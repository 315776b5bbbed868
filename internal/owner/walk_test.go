//go:build linux

package owner

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// clock is what a Finder's budget is told of time: each look at a clock has cost
// a millisecond.
type clock struct {
	wall time.Time
	used time.Duration
}

// newTimedFinder makes a Finder whose first walk is over.
func newTimedFinder(t *testing.T, p *fakeProc) (*Finder, *clock) {
	t.Helper()
	c := &clock{wall: time.Unix(1000, 0)}
	f := New(p.root)
	f.budget.now = func() time.Time { return c.wall }
	f.budget.used = func() time.Duration { c.used += time.Millisecond; return c.used }
	find(t, f, list(999_999_999))
	if !f.walked {
		t.Fatal("the first walk was not made to its end")
	}
	c.used = 0
	return f, c
}

// TestWalksKeepTheirBudget has, for 500 seconds, sockets that nobody has and
// that are others each second.
func TestWalksKeepTheirBudget(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	const seconds = 500
	p := newFakeProc(t)
	for pid := 1; pid <= 50; pid++ { // a walk takes 150 ms
		p.process(pid, uint64(pid), "/dev/null")
	}
	tests := []struct {
		name     string
		listener bool
		once     time.Duration // on top of what time brings
	}{
		{"connections", false, saved},
		{"listeners", true, saved + owed},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f, c := newTimedFinder(t, p)
			longest := time.Duration(0)
			for i := range uint64(seconds) {
				c.wall = c.wall.Add(time.Second)
				before := c.used
				if err := f.Find(context.Background(), []Row{{Inodes: list(1000 + i), Listener: tt.listener}}); err != nil {
					t.Fatal(err)
				}
				longest = max(longest, c.used-before)
			}
			const tick = 3 * time.Millisecond // of the clock, at the end of each call
			if most := tt.once + seconds*(time.Second/share+tick); c.used > most {
				t.Errorf("walks took %v of processor time in %d s, want at most %v", c.used, seconds, most)
			}
			if !tt.listener && longest > time.Second/slice+tick {
				t.Errorf("one call took %v, want a tenth of a second at most", longest)
			}
			if c.used < 100*time.Millisecond {
				t.Errorf("walks took %v: they seem not to be made", c.used)
			}
		})
	}
}

// TestWalkGoesOn has a socket in the middle of a large table, of which a call may
// read a part only: it is found some calls later, a listener at once.
func TestWalkGoesOn(t *testing.T) {
	p := newFakeProc(t)
	var targets []string
	for fd := range 1500 {
		targets = append(targets, fmt.Sprintf("socket:[%d]", 10_000+fd))
	}
	p.process(1, 1)
	p.process(20, 20, targets...)
	p.process(30, 30)
	f, c := newTimedFinder(t, p)
	calls := 0
	for ; calls < 100; calls++ {
		c.wall = c.wall.Add(50 * time.Millisecond) // 5 ms a call, of the 25 and more that the table takes
		if got := find(t, f, list(10_750))[0]; got == 20 {
			break
		}
	}
	if calls < 3 || calls == 100 {
		t.Errorf("it was found in %d calls, want some", calls+1)
	}
	rows := []Row{{Inodes: list(11_000), Listener: true}}
	if err := f.Find(context.Background(), rows); err != nil || rows[0].PID != 20 {
		t.Errorf("the listener's owner is %d, error %v; want 20 at the first call", rows[0].PID, err)
	}
}

// TestFindWithoutWalk has a row of sockets that are others each time, as short
// connections are. They are found where such a process has its new descriptors,
// and nothing is spent on a walk.
func TestFindWithoutWalk(t *testing.T) {
	p := newFakeProc(t)
	targets := slices.Repeat([]string{"/dev/null"}, 200)
	p.process(1, 1, targets...)
	p.process(20, 20, append(targets, "socket:[5]", "socket:[6]")...)
	f, c := newTimedFinder(t, p)
	for _, want := range []int{0, 20} { // in the middle of a table: worth a walk when it is there for the second time
		c.wall = c.wall.Add(time.Hour)
		if got := find(t, f, list(5, 6))[0]; got != want {
			t.Fatalf("the owner is %d, want %d", got, want)
		}
	}
	spent := c.used
	for i := range uint64(50) {
		newest := filepath.Join(p.root, "20/fd/201")
		if err := errors.Join(os.Remove(newest), os.Symlink(fmt.Sprintf("socket:[%d]", 100+i), newest)); err != nil {
			t.Fatal(err)
		}
		if got := find(t, f, list(50+i, 100+i))[0]; got != 20 { // the first is gone before it is looked for
			t.Fatalf("the owner of socket %d is %d, want 20", 100+i, got)
		}
	}
	if c.used != spent {
		t.Errorf("%v was spent on walks, want nothing", c.used-spent)
	}
}

func TestRemember(t *testing.T) {
	var f Finder
	for fd := range 20 {
		f.remember(7, 0, 10*fd)
	}
	if want := []int{120, 130, 140, 150, 160, 170, 180, 190}; len(f.recent) != 1 || !slices.Equal(f.recent[0].fds, want) {
		t.Errorf("remembered are %v, want %v", f.recent[0].fds, want)
	}
	for pid := range 2 * maxRecent {
		f.remember(pid, 0, 3)
	}
	if len(f.recent) != maxRecent || f.recent[0].pid != 2*maxRecent-1 {
		t.Errorf("%d places are remembered, first that of %d; want %d, first the latest", len(f.recent), f.recent[0].pid, maxRecent)
	}
}

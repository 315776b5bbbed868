package addrports_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/addrports"
)

// nestedKinds are entries of which each overlaps all before it.
var nestedKinds = []struct {
	name  string
	entry func(i int) string
}{
	{"ranges", func(i int) string { return fmt.Sprintf("%d-%d", 30_000-i, 30_000+i) }},
	{"ranges of a network", func(i int) string { return fmt.Sprintf("10.0.0.0/8:%d-%d", 30_000-i, 30_000+i) }},
	{"ranges of networks", func(i int) string {
		return fmt.Sprintf("10.%d.%d.0/24:%d-%d", i>>8, i&0xff, 30_000-i, 30_000+i)
	}},
	{"networks in networks", func(i int) string {
		return fmt.Sprintf("10.%d.%d.0/%d:%d-%d", i>>8, i&0xff, 32-i%24, 1+i, 65_535-i)
	}},
	{"IPv6", func(i int) string { return fmt.Sprintf("[2001:db8:%x::/%d]:%d-%d", i, 128-i%96, 1+i, 65_535-i) }},
}

// nested makes n entries of a kind, the narrowest ranges first.
func nested(tb testing.TB, n int, entry func(int) string) []addrports.Entry {
	tb.Helper()
	texts := make([]string, n)
	for i := range texts {
		texts[i] = entry(i)
	}
	return parseEntries(tb, texts...)
}

// 64 times the entries cost some 64 times the memory and up to twice that in time,
// where a list of the entries of each run of ports would cost 4,096 times as much.
// Time is that of the processor, which a busy machine hardly changes, and the bounds
// stand far from both.
func TestNestedEntries(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	const (
		few       = 250
		many      = 64 * few
		moreBytes = 128
		moreTime  = 640
	)
	for _, kind := range nestedKinds {
		t.Run(kind.name, func(t *testing.T) {
			fewEntries, manyEntries := nested(t, few, kind.entry), nested(t, many, kind.entry)
			if got, limit := tableBytes(manyEntries), moreBytes*tableBytes(fewEntries); got > limit {
				t.Errorf("a table of %d entries takes %d bytes, more than %d", many, got, limit)
			}
			for name, f := range map[string]func([]addrports.Entry){
				"NewTable": func(e []addrports.Entry) { addrports.NewTable(e) },
				"Shadowed": func(e []addrports.Entry) { addrports.Shadowed(e) },
			} {
				fewTime, manyTime := fastest(t, f, fewEntries), fastest(t, f, manyEntries)
				t.Logf("%s: %v for %d entries, %v for %d", name, fewTime, few, manyTime, many)
				if manyTime > moreTime*fewTime {
					t.Errorf("%s takes %v for %d entries and %v for %d, more than %d times as long", name, fewTime, few, manyTime, many, moreTime)
				}
			}
		})
	}
}

// tableBytes returns what making a Table of the entries allocates.
func tableBytes(entries []addrports.Entry) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	addrports.NewTable(entries)
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// fastest returns how much CPU time f takes of its thread, in the best of some
// rounds.
func fastest(t *testing.T, f func([]addrports.Entry), entries []addrports.Entry) time.Duration {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	clock := func() time.Duration {
		var now unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &now); err != nil {
			t.Fatal(err)
		}
		return time.Duration(now.Nano())
	}
	var best time.Duration
	for i := range 5 {
		start := clock()
		f(entries)
		if d := clock() - start; i == 0 || d < best {
			best = d
		}
	}
	return best
}

func BenchmarkNested(b *testing.B) {
	for _, kind := range nestedKinds {
		entries := nested(b, 4_000, kind.entry)
		b.Run(kind.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				addrports.NewTable(entries)
				addrports.Shadowed(entries)
			}
		})
	}
}

package addrports_test

import (
	"fmt"
	"runtime"
	"testing"
	"time"

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

// Sixteen times the entries cost some sixteen times the memory and time, where a
// list of the entries of each run of ports would cost 256 times as much.
func TestNestedEntries(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	const (
		few    = 500
		many   = 16 * few
		factor = 64
	)
	for _, kind := range nestedKinds {
		t.Run(kind.name, func(t *testing.T) {
			fewEntries, manyEntries := nested(t, few, kind.entry), nested(t, many, kind.entry)
			if got, limit := tableBytes(manyEntries), factor*tableBytes(fewEntries); got > limit {
				t.Errorf("a table of %d entries takes %d bytes, more than %d", many, got, limit)
			}
			for name, f := range map[string]func([]addrports.Entry){
				"NewTable": func(e []addrports.Entry) { addrports.NewTable(e) },
				"Shadowed": func(e []addrports.Entry) { addrports.Shadowed(e) },
			} {
				fewTime, manyTime := fastest(f, fewEntries), fastest(f, manyEntries)
				t.Logf("%s: %v for %d entries, %v for %d", name, fewTime, few, manyTime, many)
				if manyTime > factor*fewTime {
					t.Errorf("%s takes %v for %d entries and %v for %d, more than %d times as long", name, fewTime, few, manyTime, many, factor)
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

// fastest returns how long f takes, in the round that nothing disturbed.
func fastest(f func([]addrports.Entry), entries []addrports.Entry) time.Duration {
	var best time.Duration
	for i := range 10 {
		start := time.Now()
		f(entries)
		if d := time.Since(start); i == 0 || d < best {
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

package netstat_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/l4stat/l4stat/internal/fakediag"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/metric"
	"github.com/l4stat/l4stat/netstat/socket"
)

// portGroups makes n groups of five ports each. The first has 8000 to 8004,
// where the connections are; the others stand before it and match none.
func portGroups(n int) []netstat.Group {
	groups := make([]netstat.Group, n)
	for i := range groups {
		var ports []string
		for j := range 5 {
			ports = append(ports, fmt.Sprint(8000+(n-1-i)*5+j))
		}
		groups[i] = netstat.Group{Ports: ports, Tags: map[string]string{"service": fmt.Sprint("s", i)}}
	}
	return groups
}

// newSynthetic makes a Collector that reads a made-up dump of n connections by
// the same code that reads the kernel's.
func newSynthetic(tb testing.TB, n, groups int) *netstat.Collector {
	tb.Helper()
	kernel := fakediag.New(fakediag.Connections(n, 8000, 8004))
	c, err := netstat.New(netstat.Config{
		Groups:  portGroups(groups),
		Sockets: socket.NewNetlink(func() (socket.Conn, error) { return kernel.Dial(), nil }),
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := c.Close(); err != nil {
			tb.Error(err)
		}
	})
	return c
}

func gather(tb testing.TB, c *netstat.Collector) []metric.Metric {
	tb.Helper()
	metrics, err := c.Gather(context.Background())
	if err != nil {
		tb.Fatal(err)
	}
	return metrics
}

func BenchmarkGather(b *testing.B) {
	for _, n := range []int{10_000, 100_000} {
		for _, groups := range []int{1, 20, 100} {
			b.Run(fmt.Sprintf("sockets=%d/groups=%d", n, groups), func(b *testing.B) {
				c := newSynthetic(b, n, groups)
				gather(b, c) // makes what is made once
				b.ReportAllocs()
				for b.Loop() {
					gather(b, c)
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/socket")
			})
		}
	}
}

// TestGatherAllocations shows that a socket costs no allocation.
func TestGatherAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	allocs := func(n int) float64 {
		c := newSynthetic(t, n, 20)
		gather(t, c)
		return testing.AllocsPerRun(5, func() { gather(t, c) })
	}
	small, large := allocs(10_000), allocs(100_000)
	if small != large {
		t.Errorf("a Gather of 10,000 sockets allocates %v times, one of 100,000 %v times; want the same", small, large)
	}
	t.Logf("%v allocations per Gather", large)
}

// TestGatherCostOfGroups shows that 100 groups cost what one does. Comparing
// entries one by one would take a hundred times as long.
func TestGatherCostOfGroups(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	one, hundred := newSynthetic(t, 50_000, 1), newSynthetic(t, 50_000, 100)
	best := map[*netstat.Collector]time.Duration{}
	for range 15 {
		for _, c := range []*netstat.Collector{one, hundred} {
			start := time.Now()
			gather(t, c)
			if d := time.Since(start); best[c] == 0 || d < best[c] {
				best[c] = d
			}
		}
	}
	ratio := float64(best[hundred]) / float64(best[one])
	t.Logf("100 groups cost %.2f times what 1 does", ratio)
	if ratio > 1.5 {
		t.Errorf("a Gather with 100 groups takes %.2f times as long as with 1; want about 1", ratio)
	}
}

package netstat_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/socket"
)

// TestRowLimit has more addresses than rows. The sums over the rows are those of
// all sockets.
func TestRowLimit(t *testing.T) {
	const est, listen, synRecv, timeWait = socket.StateEstablished, socket.StateListen, socket.StateSynRecv, socket.StateTimeWait
	// at makes n sockets at a local address.
	at := func(n int, state socket.State, local string) []socket.Socket {
		return slices.Repeat([]socket.Socket{tcp(state, local, "192.0.2.1:9")}, n)
	}
	// from makes n sockets of a peer.
	from := func(n int, state socket.State, remote string) []socket.Socket {
		return slices.Repeat([]socket.Socket{tcp(state, "10.0.0.1:9", remote)}, n)
	}
	match := func(entries ...string) netstat.Group { return netstat.Group{PortsMatch: entries} }
	remote := func(entries ...string) netstat.Group {
		return netstat.Group{PortsMatch: entries, Side: netstat.RemoteSide}
	}
	tagged := func(g netstat.Group, tag string) netstat.Group {
		g.Tags = map[string]string{"service": tag}
		return g
	}
	tests := []struct {
		name     string
		limit    int
		groups   []netstat.Group
		sockets  [][]socket.Socket
		want     []string
		warnings []string // parts of them
	}{
		{"as many as the limit", 2, []netstat.Group{match("*:80")},
			[][]socket.Socket{at(1, est, "10.0.0.2:80"), at(2, est, "10.0.0.1:80")},
			[]string{"addr_port=10.0.0.1:80,ip_version=4 tcp_established=2", "addr_port=10.0.0.2:80,ip_version=4 tcp_established=1"}, nil},
		{"the largest", 2, []netstat.Group{match("*:80")},
			[][]socket.Socket{
				at(1, est, "10.0.0.1:80"), at(2, timeWait, "10.0.0.2:80"), at(3, est, "10.0.0.3:80"), at(1, timeWait, "10.0.0.3:80"),
				at(5, est, "[2001:db8::1]:80"), at(1, listen, "[::]:80"), at(1, est, "10.0.0.1:81"),
			},
			[]string{
				"addr_port=10.0.0.3:80,ip_version=4 tcp_established=3 tcp_time_wait=1",
				"addr_port=[2001:db8::1]:80,ip_version=6 tcp_established=5",
				"addr_port=other,ip_version=4 tcp_established=1 tcp_time_wait=2",
				"addr_port=other,ip_version=6 tcp_listen=1",
			},
			[]string{`addr_ports[0].ports_match[0] = "*:80": 5 addresses have sockets; the 2 with the most have rows`}},
		{"of equals, who listens, then the lower", 2, []netstat.Group{match("*:80")},
			[][]socket.Socket{at(1, est, "10.0.0.2:80"), at(1, est, "10.0.0.1:80"), at(1, listen, "10.0.0.3:80")},
			[]string{
				"addr_port=10.0.0.1:80,ip_version=4 tcp_established=1", "addr_port=10.0.0.3:80,ip_version=4 tcp_listen=1",
				"addr_port=other,ip_version=4 tcp_established=1",
			},
			[]string{`"*:80": 3 addresses`}},
		{"of each entry, the others in one row", 1, []netstat.Group{match("*:80", "*:81"), match("*:82")},
			[][]socket.Socket{
				at(1, est, "10.0.0.1:80"), at(2, est, "10.0.0.2:80"), at(4, est, "10.0.0.1:81"), at(3, est, "10.0.0.2:81"), at(6, est, "10.0.0.1:82"), at(5, est, "10.0.0.2:82"),
			},
			[]string{
				"addr_port=10.0.0.2:80,ip_version=4 tcp_established=2", "addr_port=10.0.0.1:81,ip_version=4 tcp_established=4",
				"addr_port=10.0.0.1:82,ip_version=4 tcp_established=6", "addr_port=other,ip_version=4 tcp_established=9",
			},
			[]string{`"*:80": 2 addresses`, `"*:81": 2 addresses`, `addr_ports[1].ports_match[0] = "*:82": 2 addresses`}},
		{"of groups with other tags, in one each", 1, []netstat.Group{tagged(match("*:80"), "a"), tagged(match("*:81"), "b"), tagged(remote("*:82"), "a")},
			[][]socket.Socket{
				at(1, est, "10.0.0.1:80"), at(2, est, "10.0.0.2:80"), at(4, est, "10.0.0.1:81"), at(3, est, "10.0.0.2:81"),
				from(1, est, "10.0.0.1:82"), from(2, est, "10.0.0.2:82"),
			},
			[]string{
				"addr_port=10.0.0.2:80,ip_version=4,service=a tcp_established=2", "addr_port=other,ip_version=4,service=a tcp_established=1",
				"addr_port=10.0.0.1:81,ip_version=4,service=b tcp_established=4", "addr_port=other,ip_version=4,service=b tcp_established=3",
				"addr_port=10.0.0.2:82,ip_version=4,service=a,side=remote tcp_established=2", "addr_port=other,ip_version=4,service=a,side=remote tcp_established=1",
			},
			[]string{`"*:80"`, `"*:81"`, `"*:82"`}},
		{"a peer's SYN makes no row", 2, []netstat.Group{remote("*:3306")},
			[][]socket.Socket{
				from(3, synRecv, "192.0.2.1:3306"), from(4, synRecv, "192.0.2.2:3306"), from(1, est, "192.0.2.2:3306"),
				from(9, synRecv, "[2001:db8::1]:3306"), from(2, synRecv, "192.0.2.3:3306"), from(1, timeWait, "192.0.2.4:3306"),
			},
			[]string{
				"addr_port=192.0.2.2:3306,ip_version=4,side=remote tcp_established=1 tcp_syn_recv=4",
				"addr_port=192.0.2.4:3306,ip_version=4,side=remote tcp_time_wait=1",
				"addr_port=other,ip_version=4,side=remote tcp_syn_recv=5", "addr_port=other,ip_version=6,side=remote tcp_syn_recv=9",
			}, nil},
		{"a SYN at a local address does", 2, []netstat.Group{match("*:80")}, [][]socket.Socket{at(3, synRecv, "10.0.0.1:80")},
			[]string{"addr_port=10.0.0.1:80,ip_version=4 tcp_syn_recv=3"}, nil},
		{"SYNs do not make a peer large", 1, []netstat.Group{remote("*:3306")},
			[][]socket.Socket{from(1, est, "192.0.2.1:3306"), from(9, synRecv, "192.0.2.1:3306"), from(2, est, "192.0.2.2:3306")},
			[]string{
				"addr_port=192.0.2.2:3306,ip_version=4,side=remote tcp_established=2",
				"addr_port=other,ip_version=4,side=remote tcp_established=1 tcp_syn_recv=9",
			},
			[]string{`"*:3306": 2 addresses`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var warnings []string
			c, err := netstat.New(netstat.Config{
				RowLimit: tt.limit, Groups: tt.groups, Sockets: &fakeSource{sockets: slices.Concat(tt.sockets...)},
				Warn: func(m string) { warnings = append(warnings, m) },
			})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			for i := range tt.want {
				tt.want[i] = "netstat_port," + tt.want[i]
			}
			for range 2 { // warned of once
				checkRows(t, gather(t, c)[2:], tt.want...)
			}
			if len(warnings) != len(tt.warnings) {
				t.Fatalf("the warnings are %q, want %q", warnings, tt.warnings)
			}
			for i, part := range tt.warnings {
				if !strings.Contains(warnings[i], part) || !strings.Contains(warnings[i], "raise row_limit") {
					t.Errorf("the warning is %q, want %q in it", warnings[i], part)
				}
			}
		})
	}
}

// TestRowLimitKeepsSeries has addresses come that are as large as those that have
// rows. A new series every time is what a limit is to prevent.
func TestRowLimitKeepsSeries(t *testing.T) {
	src := &fakeSource{}
	c, err := netstat.New(netstat.Config{Sockets: src, RowLimit: 2, Groups: []netstat.Group{{PortsMatch: []string{"*:1-65535"}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, ports := range [][]int{{5, 7}, {1, 5, 7, 9}, {9, 7, 3, 5, 1}} {
		src.sockets = nil
		for _, port := range ports {
			src.sockets = append(src.sockets, tcp(socket.StateTimeWait, fmt.Sprintf("10.0.0.1:%d", port), "192.0.2.1:9"))
		}
		metrics := gather(t, c)[2:]
		if got := metrics[0].Tag("addr_port") + " " + metrics[1].Tag("addr_port"); got != "10.0.0.1:5 10.0.0.1:7" {
			t.Errorf("of the ports %v, %s have rows", ports, got)
		}
	}
}

// crowd is a source of many sockets that takes no memory for them: those of peers
// of which peer i has some sockets, in one of several orders.
type crowd struct {
	peers  int
	some   func(i int) int
	order  func(peers int, yield func(i int))
	passes int
	inode  uint64
}

func (c *crowd) Close() error { return nil }

func (c *crowd) Each(_ context.Context, _ socket.Query, fn func(*socket.Socket) error) error {
	c.passes, c.inode = c.passes+1, 0
	var err error
	s := socket.Socket{Protocol: socket.TCP, State: socket.StateEstablished, Local: netip.MustParseAddrPort("10.0.0.1:80")}
	c.order(c.peers, func(i int) {
		for range c.some(i) {
			c.inode++
			s.Inode, s.Remote = c.inode, crowdPeer(i)
			if err == nil {
				err = fn(&s)
			}
		}
	})
	return err
}

func crowdPeer(i int) netip.AddrPort {
	var addr [16]byte
	addr[0] = 0xfd
	binary.BigEndian.PutUint64(addr[8:], uint64(i))
	return netip.AddrPortFrom(netip.AddrFrom16(addr), 3306)
}

func ascending(peers int, yield func(int)) {
	for i := range peers {
		yield(i)
	}
}

func descending(peers int, yield func(int)) {
	for i := range peers {
		yield(peers - 1 - i)
	}
}

func shuffled(peers int, yield func(int)) {
	for _, i := range rand.New(rand.NewPCG(7, 8)).Perm(peers) {
		yield(i)
	}
}

// interleaved has each peer's sockets far apart: where some gives 1 to all, peers
// below many come again and again between the others.
func interleaved(many, times int) func(peers int, yield func(int)) {
	return func(peers int, yield func(int)) {
		for i := range peers {
			yield(i)
			if i%(peers/times) == 0 {
				for j := range many {
					yield(j)
				}
			}
		}
	}
}

// newCrowdCollector gathers a crowd by peer.
func newCrowdCollector(tb testing.TB, src socket.Source, limit int, pid bool) *netstat.Collector {
	tb.Helper()
	c, err := netstat.New(netstat.Config{
		Sockets: src, RowLimit: limit, PID: pid,
		Groups: []netstat.Group{{PortsMatch: []string{"*:3306"}, Side: netstat.RemoteSide}},
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

// TestRowLimitExact has crowds of addresses, of which a few have more sockets.
// Their counts are exact in whatever order they come, and so is the sum.
func TestRowLimitExact(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	largeFirst := func(n int) func(int) int { // 30 sockets for a peer in 10,000
		return func(i int) int {
			if i%(n/20) == 7 {
				return 30 + i/(n/20)
			}
			return 1
		}
	}
	one := func(int) int { return 1 }
	tests := []struct {
		name   string
		crowd  crowd
		passes int
	}{
		{"in one pass", crowd{peers: 60_000, some: largeFirst(60_000), order: shuffled}, 1},
		{"ascending", crowd{peers: 200_000, some: largeFirst(200_000), order: ascending}, 2},
		{"descending", crowd{peers: 200_000, some: largeFirst(200_000), order: descending}, 2},
		{"shuffled", crowd{peers: 200_000, some: largeFirst(200_000), order: shuffled}, 2},
		{"interleaved", crowd{peers: 200_000, some: one, order: interleaved(20, 40)}, 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := &tt.crowd
			sizes, total := map[string]int64{}, int64(0)
			src.order(src.peers, func(i int) {
				if n := int64(src.some(i)); n > 1 || i < 20 {
					sizes[crowdPeer(i).String()] += n
				}
				total += int64(src.some(i))
			})
			largest := map[string]int64{}
			for peer, n := range sizes {
				if n > 1 {
					largest[peer] = n
				}
			}
			if len(largest) != 20 {
				t.Fatalf("the test has %d large peers, not 20", len(largest))
			}
			metrics := gather(t, newCrowdCollector(t, src, 20, false))
			if src.passes != tt.passes {
				t.Errorf("%d passes, want %d", src.passes, tt.passes)
			}
			rows := byName(metrics, "netstat_port")
			if len(rows) != 21 || rows[20].Tag("addr_port") != "other" {
				t.Fatalf("%d rows, want 20 and one of the others: %v", len(rows), rows)
			}
			for _, m := range rows {
				n := fieldMap(m)["tcp_established"].(int64)
				if total -= n; m.Tag("addr_port") != "other" && n != largest[m.Tag("addr_port")] {
					t.Errorf("%s has %d, want %d", m.Tag("addr_port"), n, largest[m.Tag("addr_port")])
				}
			}
			if total != 0 {
				t.Errorf("the sum over the rows lacks %d", total)
			}
		})
	}
}

// heap returns the memory in use, without what nobody refers to any more.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestRowMemory has crowds take little memory and leave none. Not parallel: it
// measures the memory of the process.
func TestRowMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	sockets := 1
	src := &crowd{peers: 10, some: func(int) int { return sockets }, order: ascending}
	c := newCrowdCollector(t, src, 0, true)
	gather(t, c)
	before := heap()
	high := int64(0)
	for _, tt := range []struct {
		peers, sockets int
		most           int64 // bytes for an address
	}{
		// 96 bytes for a row, 44 for the index, and a quarter more while they
		// grow; the rows that are reported.
		{60_000, 1, 200}, {600_000, 1, 200},
		{60_000, 2, 400}, // 144 for candidates
	} {
		src.peers, sockets = tt.peers, tt.sockets
		rows := len(gather(t, c))
		high = heap() - before
		t.Logf("%d addresses of %d sockets: %d rows, %d bytes", tt.peers, sockets, rows, high)
		if rows != 2+1000+1 {
			t.Errorf("%d addresses make %d rows, want 1,003", tt.peers, rows)
		}
		if most := tt.most * 1 << 16; high > most {
			t.Errorf("%d addresses take %d bytes, more than %d", tt.peers, high, most)
		}
	}
	src.peers = 10
	for range 10 {
		gather(t, c)
	}
	if left := heap() - before; left > high/20 {
		t.Errorf("%d of %d bytes are left ten gathers after the crowd", left, high)
	}
}

// TestRowAllocations shows that addresses beyond the limit of rows cost no
// allocations.
func TestRowAllocations(t *testing.T) {
	allocs := func(peers int) float64 {
		c := newCrowdCollector(t, &crowd{peers: peers, some: func(int) int { return 1 }, order: ascending}, 100, false)
		gather(t, c)
		gather(t, c)
		return testing.AllocsPerRun(3, func() { gather(t, c) })
	}
	few, many := allocs(1_000), allocs(50_000)
	if many > few+2 {
		t.Errorf("a Gather of 1,000 addresses allocates %v times, one of 50,000 %v times; want the same", few, many)
	}
}

// BenchmarkRows counts a crowd by address.
func BenchmarkRows(b *testing.B) {
	for _, peers := range []int{1_000, 60_000, 200_000} {
		b.Run(fmt.Sprintf("addresses=%d", peers), func(b *testing.B) {
			c := newCrowdCollector(b, &crowd{peers: peers, some: func(int) int { return 1 }, order: ascending}, 0, false)
			gather(b, c)
			b.ReportAllocs()
			for b.Loop() {
				gather(b, c)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(peers), "ns/socket")
		})
	}
}

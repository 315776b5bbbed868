package addrports_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/l4stat/l4stat/addrports"
)

// parseEntries parses entries of either kind, told apart by the asterisk.
func parseEntries(tb testing.TB, texts ...string) []addrports.Entry {
	tb.Helper()
	entries := make([]addrports.Entry, len(texts))
	for i, text := range texts {
		parse := addrports.Parse
		if strings.HasPrefix(text, "*") {
			parse = addrports.ParseMatch
		}
		var err error
		if entries[i], err = parse(text); err != nil {
			tb.Fatalf("parse %q: %v", text, err)
		}
	}
	return entries
}

func TestTableLookup(t *testing.T) {
	t.Parallel()
	const no = -1
	type lookups map[string]int // address and port to the index wanted
	tests := []struct {
		name    string
		entries []string
		want    lookups
	}{
		{"no entries", nil, lookups{"10.0.0.1:80": no, "[::1]:80": no, "0.0.0.0:0": no}},
		{"a port", []string{"80"}, lookups{
			"10.0.0.1:80": 0, "0.0.0.0:80": 0, "[::1]:80": 0, "[::]:80": 0,
			"10.0.0.1:79": no, "10.0.0.1:81": no, "10.0.0.1:0": no, "10.0.0.1:65535": no,
		}},
		{"a range", []string{"8000-8010"}, lookups{
			"1.1.1.1:7999": no, "1.1.1.1:8000": 0, "1.1.1.1:8005": 0, "1.1.1.1:8010": 0, "1.1.1.1:8011": no,
		}},
		{"every port", []string{"1-65535"}, lookups{"1.1.1.1:0": no, "1.1.1.1:1": 0, "1.1.1.1:65535": 0}},
		{"the last port", []string{"65535", "65534"}, lookups{"1.1.1.1:65533": no, "1.1.1.1:65534": 1, "1.1.1.1:65535": 0}},
		{"an address", []string{"10.0.0.1:80"}, lookups{
			"10.0.0.1:80": 0, "10.0.0.2:80": no, "10.0.0.1:81": no, "0.0.0.0:80": no, "[::1]:80": no,
		}},

		{"address, then ports", []string{"10.0.0.1:443", "80", "443"}, lookups{
			"10.0.0.1:443": 0, "10.0.0.2:443": 2, "[::1]:443": 2, "10.0.0.1:80": 1, "10.0.0.1:8443": no,
		}},
		{"port, then address", []string{"443", "10.0.0.1:443"}, lookups{"10.0.0.1:443": 0, "10.0.0.2:443": 0}},
		{"same entry twice", []string{"80", "80"}, lookups{"10.0.0.1:80": 0}},
		{"same address twice", []string{"10.0.0.1:80", "10.0.0.1:80"}, lookups{"10.0.0.1:80": 0}},
		{"range, then a port of it", []string{"8000-8010", "8005", "8011"}, lookups{"1.1.1.1:8005": 0, "1.1.1.1:8011": 2}},
		{"port, then a range around it", []string{"8005", "8000-8010"}, lookups{
			"1.1.1.1:8004": 1, "1.1.1.1:8005": 0, "1.1.1.1:8006": 1,
		}},
		{"ranges that overlap", []string{"10-20", "15-30", "5-12"}, lookups{
			"1.1.1.1:4": no, "1.1.1.1:5": 2, "1.1.1.1:9": 2, "1.1.1.1:10": 0, "1.1.1.1:20": 0, "1.1.1.1:21": 1, "1.1.1.1:30": 1, "1.1.1.1:31": no,
		}},

		// The order decides, not which prefix is the longest.
		{"wide network first", []string{"10.0.0.0/8:443", "10.0.0.1:443"}, lookups{"10.0.0.1:443": 0, "10.255.255.255:443": 0, "11.0.0.0:443": no}},
		{"narrow network first", []string{"10.0.0.1:443", "10.0.0.0/8:443"}, lookups{"10.0.0.1:443": 0, "10.0.0.2:443": 1}},
		{"three widths", []string{"10.1.0.0/16:443", "10.0.0.0/8:443", "10.1.1.0/24:443", "443"}, lookups{
			"10.1.1.1:443": 0, "10.2.1.1:443": 1, "11.0.0.1:443": 3,
		}},
		{"any address between networks", []string{"10.0.0.1:443", "443", "10.0.0.2:443"}, lookups{"10.0.0.1:443": 0, "10.0.0.2:443": 1}},
		{"all of IPv4, all of IPv6", []string{"0.0.0.0/0:443", "[::/0]:443"}, lookups{"10.0.0.1:443": 0, "[::1]:443": 1, "[::]:443": 1}},
		{"network on a range", []string{"10.0.0.0/8:1-100", "50"}, lookups{"10.0.0.1:50": 0, "11.0.0.1:50": 1, "11.0.0.1:51": no}},
		{"network of IPv6", []string{"[2001:db8::/32]:443", "[2001:db8::1]:443"}, lookups{
			"[2001:db8::1]:443": 0, "[2001:db8:ffff::]:443": 0, "[2001:db9::]:443": no, "32.1.13.184:443": no,
		}},

		{"IPv4-mapped look-up", []string{"10.0.0.0/8:443", "[::/0]:443"}, lookups{
			"[::ffff:10.0.0.1]:443": 0, "[::ffff:11.0.0.1]:443": no, "[::10.0.0.1]:443": 1,
		}},
		{"IPv4-mapped entry", []string{"[::ffff:10.0.0.1]:443", "[::ffff:10.0.0.0/104]:443"}, lookups{
			"10.0.0.1:443": 0, "[::ffff:10.0.0.1]:443": 0, "10.0.0.2:443": 1, "11.0.0.1:443": no,
		}},
		{"[::]:80 is IPv6", []string{"[::]:80", "0.0.0.0:80"}, lookups{
			"[::]:80": 0, "0.0.0.0:80": 1, "[::1]:80": no, "10.0.0.1:80": no, "[::ffff:0.0.0.0]:80": 1,
		}},
		{"DataKit's IPv6", []string{"::1:80"}, lookups{"[::1]:80": 0, "[::]:80": no}},

		{"each address", []string{"*:80", "*:8000-8010"}, lookups{
			"10.0.0.1:80": 0, "[::1]:80": 0, "0.0.0.0:8003": 1, "[::]:8010": 1, "10.0.0.1:443": no,
		}},
		{"each address, after one", []string{"10.0.0.1:80", "*:80"}, lookups{"10.0.0.1:80": 0, "10.0.0.2:80": 1}},
		{"each address, before one", []string{"*:80", "10.0.0.1:80"}, lookups{"10.0.0.1:80": 0}},

		// A link-local address has a zone in some systems' tables.
		{"zone in a look-up", []string{"[fe80::1]:80", "[fe80::/10]:80"}, lookups{"[fe80::1%eth0]:80": 0, "[fe80::2%eth0]:80": 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			table := addrports.NewTable(parseEntries(t, tt.entries...))
			for text, want := range tt.want {
				i, ok := table.Lookup(netip.MustParseAddrPort(text))
				if ok != (want != no) || ok && i != want {
					t.Errorf("Lookup(%s) = %d, %t, want %d, %t", text, i, ok, want, want != no)
				}
			}
		})
	}
}

// Where a system does not say at which address a socket is, the socket can
// only be counted by entries that do not ask.
func TestTableLookupInvalidAddress(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		entries []string
		want    int
		found   bool
	}{
		{"port", []string{"80"}, 0, true},
		{"each address", []string{"*:80"}, 0, true},
		{"port after networks", []string{"0.0.0.0/0:80", "[::/0]:80", "80"}, 2, true},
		{"networks", []string{"0.0.0.0/0:80", "[::/0]:80", "0.0.0.0:80"}, 0, false},
		{"other port", []string{"81"}, 0, false},
		{"no entries", nil, 0, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			table := addrports.NewTable(parseEntries(t, tt.entries...))
			i, ok := table.Lookup(netip.AddrPortFrom(netip.Addr{}, 80))
			if ok != tt.found || ok && i != tt.want {
				t.Errorf("Lookup(invalid address, 80) = %d, %t, want %d, %t", i, ok, tt.want, tt.found)
			}
		})
	}
}

func TestTableZero(t *testing.T) {
	t.Parallel()
	var table addrports.Table
	if i, ok := table.Lookup(netip.MustParseAddrPort("10.0.0.1:80")); ok {
		t.Errorf("Lookup = %d, true in the zero Table", i)
	}
}

// A Table is made once; what happens to the slice afterwards is not its concern.
func TestTableKeepsNothing(t *testing.T) {
	t.Parallel()
	entries := parseEntries(t, "10.0.0.1:80", "80")
	table := addrports.NewTable(entries)
	clear(entries)
	for text, want := range map[string]int{"10.0.0.1:80": 0, "10.0.0.2:80": 1} {
		if i, ok := table.Lookup(netip.MustParseAddrPort(text)); i != want || !ok {
			t.Errorf("Lookup(%s) = %d, %t, want %d, true", text, i, ok, want)
		}
	}
}

// model is an entry as the tests understand it, without the code under test.
type model struct {
	first, last int
	network     string // "" for any address
}

func (m model) matches(addr netip.Addr, port int) bool {
	if port < m.first || port > m.last {
		return false
	}
	return m.network == "" || netip.MustParsePrefix(m.network).Contains(addr.Unmap())
}

// text writes the entry in one of the ways in which it can be written.
func (m model) text(rng *rand.Rand) string {
	ports := fmt.Sprint(m.first)
	if m.last > m.first || rng.IntN(4) == 0 {
		ports = fmt.Sprintf("%d-%d", m.first, m.last)
	}
	if m.network == "" {
		if rng.IntN(4) == 0 {
			return "*:" + ports
		}
		return ports
	}
	p := netip.MustParsePrefix(m.network)
	host := p.String()
	switch {
	case p.Addr().Is4() && rng.IntN(4) == 0: // mapped
		host = fmt.Sprintf("::ffff:%s/%d", p.Addr(), p.Bits()+96)
	case p.IsSingleIP() && rng.IntN(2) == 0:
		host = p.Addr().String()
	}
	if strings.Contains(host, ":") && rng.IntN(2) == 0 {
		host = "[" + host + "]"
	}
	return host + ":" + ports
}

// first gives the index of the first model that matches, or -1.
func first(models []model, addr netip.Addr, port int) int {
	for i, m := range models {
		if m.matches(addr, port) {
			return i
		}
	}
	return -1
}

// universe is a small set of ports and networks to pick from, so that random
// entries and look-ups meet often, and addresses that tell them apart.
type universe struct {
	ports    []int // in ascending order
	networks []string
	lookPort []int
	lookAddr []string // "" is the invalid address
}

func (u universe) models(rng *rand.Rand, n int) []model {
	models := make([]model, n)
	for i := range models {
		a, b := rng.IntN(len(u.ports)), rng.IntN(len(u.ports))
		if rng.IntN(2) == 0 {
			b = a
		}
		models[i] = model{u.ports[min(a, b)], u.ports[max(a, b)], u.networks[rng.IntN(len(u.networks))]}
	}
	return models
}

func texts(rng *rand.Rand, models []model) []string {
	texts := make([]string, len(models))
	for i, m := range models {
		texts[i] = m.text(rng)
	}
	return texts
}

// A Table finds what looking through the entries one by one finds.
func TestTableLookupRandom(t *testing.T) {
	t.Parallel()
	u := universe{
		ports: []int{1, 2, 3, 79, 80, 81, 443, 8000, 8005, 8010, 65534, 65535},
		networks: []string{
			"", "", "0.0.0.0/0", "0.0.0.0/32", "10.0.0.0/8", "10.0.0.0/30", "10.0.0.0/31", "10.0.0.1/32", "10.0.0.2/32", "10.128.0.0/9",
			"255.255.255.255/32", "::/0", "::/128", "::1/128", "2001:db8::/32", "2001:db8::/126", "2001:db8::1/128", "2001:db8::2/127", "fe80::/10",
		},
		lookPort: []int{0, 1, 2, 3, 4, 78, 79, 80, 81, 82, 443, 7999, 8000, 8001, 8005, 8009, 8010, 8011, 65533, 65534, 65535},
		lookAddr: []string{
			"", "0.0.0.0", "10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.127.255.255", "10.128.0.1", "11.0.0.0",
			"255.255.255.255", "::", "::1", "::2", "::ffff:0.0.0.0", "::ffff:10.0.0.1", "::ffff:10.200.0.1", "::10.0.0.1",
			"2001:db8::", "2001:db8::1", "2001:db8::2", "2001:db8::3", "2001:db8::4", "2001:db9::", "fe80::1", "fe80::1%eth0",
		},
	}
	rng := rand.New(rand.NewPCG(1, 2))
	found := map[bool]int{}
	for range 400 {
		models := u.models(rng, 1+rng.IntN(12))
		entries := texts(rng, models)
		table := addrports.NewTable(parseEntries(t, entries...))
		for range 100 {
			var addr netip.Addr
			if text := u.lookAddr[rng.IntN(len(u.lookAddr))]; text != "" {
				addr = netip.MustParseAddr(text)
			}
			port := u.lookPort[rng.IntN(len(u.lookPort))]
			want := first(models, addr.WithZone(""), port)
			i, ok := table.Lookup(netip.AddrPortFrom(addr, uint16(port)))
			if ok != (want >= 0) || ok && i != want {
				t.Fatalf("Lookup(%v, %d) = %d, %t, want %d, %t among %q", addr, port, i, ok, want, want >= 0, entries)
			}
			found[ok]++
		}
	}
	// Both answers must be common, or the comparison shows little.
	if found[true] < 5000 || found[false] < 5000 {
		t.Errorf("look-ups found an entry %d times and none %d times; want thousands of both", found[true], found[false])
	}
}

// costKinds are the shapes of configuration for which a look-up must not cost
// more with more groups. Each gives n entries, and look-ups that all match.
var costKinds = []struct {
	name  string
	entry func(i int) (entry string, matching netip.AddrPort)
}{
	{"by=port", func(i int) (string, netip.AddrPort) {
		port := uint16(1024 + 61*i)
		return fmt.Sprint(port), netip.AddrPortFrom(netip.MustParseAddr("10.0.0.1"), port)
	}},
	{"by=address", func(i int) (string, netip.AddrPort) {
		ap := netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, byte(i >> 8), byte(i), 1}), 443)
		return ap.String(), ap
	}},
}

// costTable makes a Table of n entries and 1,024 look-ups, in random order.
func costTable(tb testing.TB, n int, entry func(int) (string, netip.AddrPort)) (*addrports.Table, []netip.AddrPort) {
	tb.Helper()
	texts, matching := make([]string, n), make([]netip.AddrPort, n)
	for i := range n {
		texts[i], matching[i] = entry(i)
	}
	rng := rand.New(rand.NewPCG(3, 4))
	lookups := make([]netip.AddrPort, 1024)
	for i := range lookups {
		lookups[i] = matching[rng.IntN(n)]
	}
	return addrports.NewTable(parseEntries(tb, texts...)), lookups
}

// A look-up, which is made for each socket of the host at each Gather, neither
// allocates nor costs more with more groups.
func TestLookupCost(t *testing.T) {
	if testing.Short() {
		t.Skip("measures time")
	}
	const (
		groups = 100
		factor = 3
		rounds = 20
		passes = 30
	)
	for _, kind := range costKinds {
		t.Run(kind.name, func(t *testing.T) {
			one, oneLookups := costTable(t, 1, kind.entry)
			many, manyLookups := costTable(t, groups, kind.entry)

			if n := testing.AllocsPerRun(10, func() { lookUp(t, many, manyLookups) }); n != 0 {
				t.Errorf("%v allocations in %d look-ups, want 0", n, len(manyLookups))
			}
			// What disturbs a round makes it slower, never faster. The rounds
			// alternate, so that a slow spell of the machine hits both.
			oneTime, manyTime := time.Duration(math.MaxInt64), time.Duration(math.MaxInt64)
			for range rounds {
				oneTime = min(oneTime, timed(t, passes, one, oneLookups))
				manyTime = min(manyTime, timed(t, passes, many, manyLookups))
			}
			perLookup := func(d time.Duration) float64 { return float64(d.Nanoseconds()) / float64(passes*len(oneLookups)) }
			t.Logf("1 group: %.1f ns, %d groups: %.1f ns", perLookup(oneTime), groups, perLookup(manyTime))
			if manyTime > factor*oneTime {
				t.Errorf("a look-up takes %.1f ns with %d groups and %.1f ns with 1, more than %d times as long",
					perLookup(manyTime), groups, perLookup(oneTime), factor)
			}
		})
	}
}

func timed(t *testing.T, passes int, table *addrports.Table, lookups []netip.AddrPort) time.Duration {
	start := time.Now()
	for range passes {
		lookUp(t, table, lookups)
	}
	return time.Since(start)
}

func lookUp(t *testing.T, table *addrports.Table, lookups []netip.AddrPort) {
	for _, ap := range lookups {
		if _, ok := table.Lookup(ap); !ok {
			t.Fatalf("Lookup(%v) found nothing", ap)
		}
	}
}

func BenchmarkLookup(b *testing.B) {
	for _, kind := range costKinds {
		for _, groups := range []int{1, 10, 100, 1000} {
			b.Run(fmt.Sprintf("%s/groups=%d", kind.name, groups), func(b *testing.B) {
				table, lookups := costTable(b, groups, kind.entry)
				b.ReportAllocs()
				for i := 0; b.Loop(); i++ {
					table.Lookup(lookups[i%len(lookups)])
				}
			})
		}
	}
}

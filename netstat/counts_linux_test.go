package netstat_test

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/testhost"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/metric"
	"github.com/l4stat/l4stat/netstat/socket"
)

// ledger is what a test put into the kernel's tables.
type ledger struct {
	socks []*testhost.Sock
	udp   map[*testhost.Sock]bool
}

func (l *ledger) tcp(socks ...*testhost.Sock) { l.socks = append(l.socks, socks...) }

func (l *ledger) addUDP(socks ...*testhost.Sock) {
	for _, s := range socks {
		l.socks = append(l.socks, s)
		l.udp[s] = true
	}
}

// field tells which field of a row a socket counts in.
func (l *ledger) field(s *testhost.Sock) string {
	if l.udp[s] {
		return "udp_socket"
	}
	return "tcp_" + strings.ToLower(string(s.State))
}

// count counts the sockets that are wanted, by field.
func (l *ledger) count(want func(*testhost.Sock) bool) map[string]int64 {
	n := map[string]int64{}
	for _, s := range l.socks {
		if want(s) {
			n[l.field(s)]++
		}
	}
	return n
}

func ipVersion(s *testhost.Sock) string {
	if s.Local.Addr().Is4() {
		return "4"
	}
	return "6"
}

// fillTables makes sockets in every state that the kernel lists: over IPv4 on
// port 80, IPv6 on 443 and IPv4-mapped on 8080; listeners that share a port;
// UDP sockets; and sockets that must not count. Nothing is the same number.
func fillTables(h *testhost.Host) *ledger {
	l := &ledger{udp: map[*testhost.Sock]bool{}}
	l.tcp(h.EveryState(testhost.IPv4, 80)...)
	l.tcp(h.EveryState(testhost.IPv6, 443)...)
	l.tcp(h.EveryState(testhost.Mapped, 8080)...)
	for range 2 {
		l.tcp(h.Connect(testhost.IPv4, 0, 5432, testhost.Established))
	}
	for range 4 {
		l.tcp(h.Connect(testhost.Mapped, 0, 5432, testhost.CloseWait))
	}
	for range 3 {
		l.tcp(h.Listen(testhost.IPv4, h.Addr(testhost.IPv4), 9000))
	}
	for range 5 {
		l.tcp(h.Listen(testhost.IPv6, netip.Addr{}, 9000))
	}
	l.tcp(h.Listen(testhost.Mapped, h.Addr(testhost.Mapped), 9001))
	l.addUDP(h.UDP(testhost.IPv4, netip.Addr{}, 53, false), h.UDP(testhost.IPv4, h.Addr(testhost.IPv4), 53, false))
	l.addUDP(h.UDP(testhost.IPv4, netip.Addr{}, 80, true))
	for range 3 {
		l.addUDP(h.UDP(testhost.IPv6, netip.Addr{}, 53, false))
	}
	l.addUDP(h.UDP(testhost.IPv6, netip.Addr{}, 0, true), h.UDP(testhost.Mapped, h.Addr(testhost.Mapped), 53, false))
	h.Bound(testhost.IPv4, 80)
	h.Bound(testhost.IPv6, 81)
	return l
}

// fields gives the counts of a metric that are not zero.
func fields(m metric.Metric) map[string]int64 {
	n := map[string]int64{}
	for _, f := range m.Fields {
		if v, ok := f.Value.Int(); ok && v != 0 && f.Key != "pid" {
			n[f.Key] = v
		}
	}
	return n
}

// TestCounts has every count equal the truth, whichever source it is from.
func TestCounts(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	l := fillTables(h)

	host4 := h.Addr(testhost.IPv4).String()
	config := netstat.Config{Groups: []netstat.Group{
		{Ports: []string{host4 + ":9000", "80", "443"}, Tags: map[string]string{"group": "1"}},
		{PortsMatch: []string{"*:8080", "*:9000-9001", "*:53"}},
		{Ports: []string{"5432"}, Side: netstat.RemoteSide},
		{Ports: []string{"1"}}, // nobody's
	}}
	local := func(port uint16) func(*testhost.Sock) bool {
		return func(s *testhost.Sock) bool { return s.Local.Port() == port }
	}
	at := func(ap string) func(*testhost.Sock) bool {
		return func(s *testhost.Sock) bool { return s.Local == netip.MustParseAddrPort(ap) }
	}
	type wantRow struct {
		measurement, addrPort, version string
		counts                         map[string]int64
	}
	both := func(name, addrPort string, want func(*testhost.Sock) bool) []wantRow {
		var rows []wantRow
		for _, v := range []string{"4", "6"} {
			n := l.count(func(s *testhost.Sock) bool { return want(s) && ipVersion(s) == v })
			if len(n) > 0 || name == "netstat" {
				rows = append(rows, wantRow{name, addrPort, v, n})
			}
		}
		return rows
	}
	want := slices.Concat(
		both("netstat", "", func(*testhost.Sock) bool { return true }),
		both("netstat_port", host4+":9000", at(host4+":9000")),
		both("netstat_port", "80", local(80)),
		both("netstat_port", "443", local(443)),
		both("netstat_port", host4+":8080", at(host4+":8080")),
		both("netstat_port", "[::]:8080", at("[::]:8080")),
		both("netstat_port", host4+":9001", at(host4+":9001")),
		both("netstat_port", "[::]:9000", at("[::]:9000")),
		both("netstat_port", "0.0.0.0:53", at("0.0.0.0:53")),
		both("netstat_port", host4+":53", at(host4+":53")),
		both("netstat_port", "[::]:53", at("[::]:53")),
		both("netstat_port", "5432", func(s *testhost.Sock) bool { return s.Remote.Port() == 5432 }),
	)
	if len(want) != 13 {
		t.Fatalf("the test expects %d rows, not the 13 that it is about: %v", len(want), want)
	}

	for _, source := range []string{socket.Netlink, socket.Procfs, socket.Auto} {
		t.Run(source, func(t *testing.T) {
			c := config
			c.Source = source
			c.Warn = func(m string) { t.Errorf("warning: %s", m) }
			col, err := netstat.New(c)
			if err != nil {
				t.Fatal(err)
			}
			defer col.Close()
			metrics := gather(t, col)
			var got []wantRow
			for _, m := range metrics {
				got = append(got, wantRow{m.Name, m.Tag("addr_port"), m.Tag("ip_version"), fields(m)})
			}
			for i := range max(len(got), len(want)) {
				if i >= len(got) || i >= len(want) || fmt.Sprint(got[i]) != fmt.Sprint(want[i]) {
					t.Errorf("row %d:\ngot  %v\nwant %v", i, got[i:min(i+1, len(got))], want[i:min(i+1, len(want))])
				}
			}
		})
	}
	t.Run("ss", func(t *testing.T) { compareWithSS(t, l) })
}

// compareWithSS compares the truth with what ss says.
func compareWithSS(t *testing.T, l *ledger) {
	if _, err := exec.LookPath("ss"); err != nil {
		testhost.SkipOrFail(t, "needs ss (Debian: iproute2)")
	}
	got := map[string]int64{}
	for _, args := range []string{"-Htan", "-Huan"} {
		out, err := exec.Command("ss", args).Output()
		if err != nil {
			t.Fatalf("ss %s: %v", args, err)
		}
		for line := range strings.Lines(string(out)) {
			name, _, _ := strings.Cut(line, " ")
			state, ok := socket.ParseState(name)
			if !ok {
				t.Fatalf("ss %s: unknown state in %q", args, line)
			}
			if args == "-Huan" {
				got["udp_socket"]++
			} else {
				got["tcp_"+strings.ToLower(state.String())]++
			}
		}
	}
	if want := l.count(func(*testhost.Sock) bool { return true }); !maps.Equal(got, want) {
		t.Errorf("ss counts\n%v\nwant\n%v", got, want)
	}
}

// TestSockets has the sources list each socket with its addresses, state and
// inode.
func TestSockets(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	l := fillTables(h)
	var want []string
	for _, s := range l.socks {
		protocol := socket.TCP
		if l.udp[s] {
			protocol = socket.UDP
		}
		want = append(want, fmt.Sprintln(protocol, s.State, s.Local, s.Remote, s.Inode))
	}
	slices.Sort(want)
	for _, kind := range []string{socket.Netlink, socket.Procfs} {
		t.Run(kind, func(t *testing.T) {
			src, err := socket.Open(kind, socket.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			var got []string
			err = src.Each(context.Background(), socket.Query{}, func(s *socket.Socket) error {
				got = append(got, fmt.Sprintln(s.Protocol, s.State, s.Local, s.Remote, s.Inode))
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			slices.Sort(got)
			for i := range max(len(got), len(want)) {
				if i >= len(got) || i >= len(want) || got[i] != want[i] {
					t.Fatalf("the first difference:\ngot  %v\nwant %v", got[i:min(i+1, len(got))], want[i:min(i+1, len(want))])
				}
			}
		})
		t.Run(kind+" by state", func(t *testing.T) {
			src, err := socket.Open(kind, socket.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer src.Close()
			for state := socket.StateEstablished; int(state) < socket.NumStates; state++ {
				n := int64(0)
				q := socket.Query{Tables: []socket.Table{socket.TCP4, socket.TCP6}, States: socket.States(state)}
				err := src.Each(context.Background(), q, func(s *socket.Socket) error {
					if s.State != state {
						t.Errorf("asked for %v, got %+v", state, s)
					}
					n++
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
				if want := l.count(func(*testhost.Sock) bool { return true })["tcp_"+strings.ToLower(state.String())]; n != want {
					t.Errorf("%d sockets in %v, want %d", n, state, want)
				}
			}
		})
	}
}

//go:build linux

package testhost_test

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/testhost"
)

var versions = []testhost.Version{testhost.IPv4, testhost.IPv6, testhost.Mapped}

func TestEveryState(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	var socks []*testhost.Sock
	for i, v := range versions {
		socks = append(socks, h.EveryState(v, 80+uint16(i))...)
	}
	checkTables(t, "tcp", socks)

	// No inode: TIME_WAIT, SYN_RECV, the orphan and the one in the queue.
	var without int
	for _, s := range socks {
		if s.Inode == 0 {
			without++
		}
	}
	if want := 4 * len(versions); without != want {
		t.Errorf("%d sockets without inode, want %d", without, want)
	}

	n := len(versions)
	want := map[string]int{
		"ESTAB": 2 * n, "SYN-SENT": n, "SYN-RECV": n, "FIN-WAIT-1": n, "FIN-WAIT-2": 2 * n, "TIME-WAIT": n,
		"CLOSE-WAIT": n, "LAST-ACK": n, "LISTEN": n, "CLOSING": n,
	}
	if got := ss(t); !maps.Equal(got, want) {
		t.Errorf("ss counts %v, want %v", got, want)
	}
}

func TestConnect(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	var socks []*testhost.Sock
	for _, v := range versions {
		for _, state := range []testhost.State{
			testhost.SynSent, testhost.Established, testhost.FinWait1, testhost.FinWait2, testhost.FinWait2Orphan,
			testhost.TimeWait, testhost.CloseWait, testhost.LastAck, testhost.Closing,
		} {
			socks = append(socks, h.Connect(v, 0, 443, state), h.Connect(v, 5000, 0, state))
		}
	}
	for _, s := range socks {
		if s.Local.Port() == 0 || s.Local.Port() != 5000 && s.Remote.Port() != 443 {
			t.Errorf("connection from %v to %v", s.Local, s.Remote)
		}
	}
	checkTables(t, "tcp", socks)
}

func TestListen(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	var socks []*testhost.Sock
	for i, v := range versions {
		port := 80 + uint16(i)
		loopback := netip.MustParseAddr("127.1.2.3")
		if v == testhost.IPv6 {
			loopback = netip.IPv6Loopback()
		}
		wild := h.Listen(v, netip.Addr{}, port)
		socks = append(socks, wild, h.Listen(v, netip.Addr{}, port), h.Listen(v, loopback, port))
		for range 8 {
			socks = append(socks, h.Accept(v, wild, testhost.Established), h.Accept(v, wild, testhost.SynRecv))
		}
		own := h.Listen(v, h.Addr(v), port)
		socks = append(socks, own, h.Accept(v, own, testhost.Established))
		if v == testhost.Mapped { // takes both versions
			socks = append(socks, h.Accept(testhost.IPv6, wild, testhost.Established))
		}
		h.Bound(v, 90)
	}
	checkTables(t, "tcp", socks)

	// Close all but the listeners of the connections in SYN_RECV, which would soon follow them.
	socks = slices.DeleteFunc(socks, func(s *testhost.Sock) bool {
		if s.State == testhost.Listen && s.Local.Addr().IsUnspecified() {
			return false
		}
		s.Close()
		s.Close() // does nothing
		return s.State != testhost.SynRecv
	})
	checkTables(t, "tcp", socks)
}

func TestUDP(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	var socks []*testhost.Sock
	for i, v := range versions {
		port := 53 + uint16(i)
		socks = append(socks,
			h.UDP(v, netip.Addr{}, port, false), h.UDP(v, netip.Addr{}, port, false), h.UDP(v, netip.Addr{}, port, true),
			h.UDP(v, h.Addr(v), port, false), h.UDP(v, h.Addr(v), port, true))
	}
	checkTables(t, "udp", socks)
	for _, s := range socks {
		s.Close()
	}
	checkTables(t, "udp", nil)
}

// row is what the kernel's tables tell of a socket.
type row struct {
	table         string
	state         uint64
	local, remote netip.AddrPort
	inode         uint64
}

// checkTables compares the tables of a protocol, row by row, with the sockets that should be in them.
func checkTables(t *testing.T, proto string, socks []*testhost.Sock) {
	t.Helper()
	states := map[testhost.State]uint64{
		"ESTABLISHED": 1, "SYN_SENT": 2, "SYN_RECV": 3, "FIN_WAIT1": 4, "FIN_WAIT2": 5, "TIME_WAIT": 6, "CLOSE": 7,
		"CLOSE_WAIT": 8, "LAST_ACK": 9, "LISTEN": 10, "CLOSING": 11,
	}
	var got, want []string
	for _, s := range socks {
		r := row{proto, states[s.State], s.Local, s.Remote, s.Inode}
		if s.Version != testhost.IPv4 {
			r.table += "6"
		}
		want = append(want, fmt.Sprint(r))
	}
	for _, name := range []string{proto, proto + "6"} {
		for _, r := range readTable(t, name) {
			got = append(got, fmt.Sprint(r))
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the kernel's tables differ from the sockets made:\ngot:\n%s\nwant:\n%s",
			strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

func readTable(t *testing.T, name string) []row {
	t.Helper()
	b, err := os.ReadFile("/proc/self/net/" + name)
	if err != nil {
		t.Fatal(err)
	}
	number := func(s string, base int) uint64 {
		n, err := strconv.ParseUint(s, base, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return n
	}
	addrPort := func(s string) netip.AddrPort {
		addr, port, _ := strings.Cut(s, ":")
		b, err := hex.DecodeString(addr)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for w := b; len(w) > 0; w = w[4:] { // printed as 32-bit numbers, which they are not
			binary.NativeEndian.PutUint32(w, binary.BigEndian.Uint32(w))
		}
		a, _ := netip.AddrFromSlice(b)
		return netip.AddrPortFrom(a.Unmap(), uint16(number(port, 16)))
	}
	var rows []row
	for _, line := range strings.Split(strings.TrimSpace(string(b)), "\n")[1:] {
		f := strings.Fields(line)
		rows = append(rows, row{name, number(f[3], 16), addrPort(f[1]), addrPort(f[2]), number(f[9], 10)})
	}
	return rows
}

// ss returns how many TCP sockets the program ss, which asks sock_diag, finds in each state.
func ss(t *testing.T) map[string]int {
	t.Helper()
	if _, err := exec.LookPath("ss"); err != nil {
		testhost.SkipOrFail(t, "needs ss (Debian: iproute2)")
	}
	out, err := exec.Command("ss", "-Htan").Output()
	if err != nil {
		t.Fatalf("ss: %v", err)
	}
	count := make(map[string]int)
	for line := range strings.Lines(string(out)) {
		count[strings.Fields(line)[0]]++
	}
	return count
}

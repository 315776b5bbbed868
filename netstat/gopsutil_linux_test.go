package netstat_test

import (
	"maps"
	"net/netip"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/internal/testhost"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/metric"
	"github.com/l4stat/l4stat/netstat/socket"
)

// TestGopsutil has the source of the other systems give what the kernel's tables
// have, and no Unix sockets among them. Of listeners that share a port with
// SO_REUSEPORT it gives one alone: that is gopsutil's.
func TestGopsutil(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	l := &ledger{udp: map[*testhost.Sock]bool{}}
	l.tcp(h.EveryState(testhost.IPv4, 80)...)
	l.tcp(h.EveryState(testhost.IPv6, 80)...)
	l.addUDP(h.UDP(testhost.IPv4, netip.Addr{}, 53, false), h.UDP(testhost.IPv6, netip.Addr{}, 53, true))
	h.Bound(testhost.IPv4, 81)
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	defer unix.Close(pair[1])

	c, err := netstat.New(netstat.Config{Source: socket.Gopsutil, PID: true, Groups: []netstat.Group{{Ports: []string{"80"}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	metrics := gather(t, c)
	if len(metrics) != 4 {
		t.Fatalf("%d metrics, want netstat and netstat_port for IPv4 and IPv6: %v", len(metrics), metrics)
	}
	for i, version := range []string{"4", "6"} {
		want := l.count(func(s *testhost.Sock) bool { return ipVersion(s) == version })
		if got := fields(metrics[i]); !maps.Equal(got, want) {
			t.Errorf("IPv%s: got\n%v\nwant\n%v", version, got, want)
		}
		if pid, _ := metrics[2+i].Field("pid"); pid != metric.Int(int64(os.Getpid())) {
			t.Errorf("IPv%s: pid is %v, want %d", version, pid, os.Getpid())
		}
	}
}

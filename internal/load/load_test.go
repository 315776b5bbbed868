//go:build linux

package load_test

import (
	"maps"
	"net/netip"
	"os"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/load"
	"github.com/l4stat/l4stat/internal/testhost"
	"github.com/l4stat/l4stat/netstat/socket"
)

func TestMain(m *testing.M) {
	if load.Main() {
		return
	}
	os.Exit(m.Run())
}

// count gives what /proc/net lists, which of the ports have connections, and
// where processes listen.
func count(t *testing.T) (counts load.Counts, ports map[uint16]bool, listeners map[netip.AddrPort]bool) {
	t.Helper()
	src, err := socket.Open(socket.Procfs, socket.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	counts = load.Counts{}
	ports, listeners = map[uint16]bool{}, map[netip.AddrPort]bool{}
	err = src.Each(t.Context(), socket.Query{}, func(s *socket.Socket) error {
		counts[load.Kind{Protocol: s.Protocol, State: s.State, IPv6: s.Local.Addr().Is6()}]++
		switch port := s.Local.Port(); {
		case s.State == socket.StateListen:
			listeners[s.Local] = true
		case port >= load.FirstPort && port <= load.LastPort:
			ports[port] = true
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return counts, ports, listeners
}

// withoutTimeWait takes TIME_WAITs out of counts and gives their number.
func withoutTimeWait(counts load.Counts) (n int) {
	maps.DeleteFunc(counts, func(k load.Kind, c int) bool {
		if k.State == socket.StateTimeWait {
			n += c
			return true
		}
		return false
	})
	return n
}

func TestLoad(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	l, err := load.New(100)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	total := 0
	for _, n := range []int{10, 1000, 1234, 3001} { // each adds to what is there
		if err := l.Hold(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		total = n
		got, _, _ := count(t)
		if want := l.Counts(); !maps.Equal(got, want) {
			t.Errorf("holding %d sockets, /proc/net lists %v, want %v", n, got, want)
		}
	}
	if l.Held() != total {
		t.Errorf("%d sockets are held, want %d", l.Held(), total)
	}
	_, ports, listeners := count(t)
	for i := range load.LastPort - load.FirstPort + 1 {
		port := load.FirstPort + uint16(i)
		if l := load.Listener(port); !listeners[l] || !ports[port] {
			t.Errorf("nobody listens on %v, or port %d has no connections", l, port)
		}
	}

	for _, n := range []int{100, 2000} {
		if err := l.TimeWait(t.Context(), n); err != nil {
			t.Fatal(err)
		}
		got, _, _ := count(t)
		if timeWait := withoutTimeWait(got); timeWait != n || !maps.Equal(got, l.Counts()) {
			t.Errorf("/proc/net lists %d TIME_WAITs beside %v; want %d and %v", timeWait, got, n, l.Counts())
		}
	}

	stop, err := l.Churn(t.Context(), 2)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := stop()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d connections were opened and closed", opened)
	got, _, _ := count(t)
	if withoutTimeWait(got); !maps.Equal(got, l.Counts()) {
		t.Errorf("after it, /proc/net lists %v, want %v", got, l.Counts())
	}
}

func TestErrors(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	if _, err := load.New(3); err == nil {
		t.Error("no error for 3 sockets in a process")
	}
	l, err := load.New(1 << 20)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if _, err := load.New(100); err == nil || !strings.Contains(err.Error(), "namespace of its own") {
		t.Errorf("a namespace with loopback up gives error %v", err)
	}
	if err := l.TimeWait(t.Context(), 1); err == nil {
		t.Error("no error for TIME_WAIT without processes")
	}
	if err := l.Hold(t.Context(), 3); err == nil {
		t.Error("no error for holding 3 sockets")
	}
	if err := l.Hold(t.Context(), 1<<20); err == nil || !strings.Contains(err.Error(), "too many open files") {
		t.Errorf("more sockets than a process may have gives error %v", err)
	}
	if err := l.Hold(t.Context(), 100); err != nil {
		t.Fatal(err)
	}
	if err := l.Hold(t.Context(), 50); err == nil {
		t.Error("no error for holding fewer sockets than are held")
	}
}

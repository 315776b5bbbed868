package netstat_test

import (
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/internal/testhost"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/socket"
)

// pidOf gives the field pid of the row, 0 where it is left out.
func pidOf(t *testing.T, c *netstat.Collector, addrPort string) int {
	t.Helper()
	for _, m := range gather(t, c) {
		if m.Tag("addr_port") == addrPort {
			v, ok := m.Field("pid")
			n, isInt := v.Int()
			if ok && (!isInt || n <= 0) {
				t.Errorf("pid is %v", v)
			}
			return int(n)
		}
	}
	t.Fatalf("no row for %s", addrPort)
	return 0
}

// portCollector gathers those entries with their owners.
func portCollector(t *testing.T, source string, entries ...string) *netstat.Collector {
	t.Helper()
	c, err := netstat.New(netstat.Config{PID: true, Source: source, Groups: []netstat.Group{{Ports: entries}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestPID(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	for _, source := range []string{socket.Netlink, socket.Procfs} {
		t.Run(source, func(t *testing.T) { testPID(t, h, source) })
	}
}

func testPID(t *testing.T, h *testhost.Host, source string) {
	want := func(c *netstat.Collector, addrPort string, pid int, why string) {
		t.Helper()
		if got := pidOf(t, c, addrPort); got != pid {
			t.Errorf("pid of %s is %d, want %d: %s", addrPort, got, pid, why)
		}
	}
	self := os.Getpid()

	t.Run("the listener's, not an older client's", func(t *testing.T) {
		client := h.Connect(testhost.IPv4, 7000, 0, testhost.Established)
		defer client.Close()
		c := portCollector(t, source, "7000-8000")
		want(c, "7000-8000", self, "there is only the client")
		s := startServer(t, "tcp 127.0.0.1:8000")
		want(c, "7000-8000", s.Process.Pid, "the listener goes before the client")
		want(c, "7000-8000", s.Process.Pid, "and again, from memory")
		s.stop()
		want(c, "7000-8000", self, "the listener is gone")
	})
	t.Run("a listener that restarts", func(t *testing.T) {
		c := portCollector(t, source, "8001")
		for range 3 {
			s := startServer(t, "tcp 127.0.0.1:8001")
			want(c, "8001", s.Process.Pid, "at the first Gather after its start")
			s.stop()
		}
	})
	t.Run("a listener that is opened again by its process", func(t *testing.T) {
		c := portCollector(t, source, "8002")
		for range 3 {
			l := h.Listen(testhost.IPv4, netip.Addr{}, 8002)
			want(c, "8002", self, "another socket behind the same descriptor")
			l.Close()
		}
	})
	t.Run("the UDP socket's, not an older client's", func(t *testing.T) {
		defer h.Connect(testhost.IPv4, 7003, 0, testhost.Established).Close()
		s := startServer(t, "udp 127.0.0.1:8003")
		want(portCollector(t, source, "7003-8003"), "7003-8003", s.Process.Pid, "there is no listener")
	})
	t.Run("the master's, which is older than its worker", func(t *testing.T) {
		s := startServer(t, "fork 127.0.0.1:8004")
		worker, err := strconv.Atoi(s.ready)
		if err != nil {
			t.Fatal(err)
		}
		c := portCollector(t, source, "8004")
		want(c, "8004", s.Process.Pid, "the master's")
		if err := s.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Process.Wait(); err != nil {
			t.Fatal(err)
		}
		want(c, "8004", worker, "the master is dead and the worker still listens")
	})
	t.Run("sockets of nobody", func(t *testing.T) {
		l := h.Listen(testhost.IPv4, netip.Addr{}, 8005)
		h.Accept(testhost.IPv4, l, testhost.TimeWait)
		h.Accept(testhost.IPv4, l, testhost.FinWait2Orphan)
		c := portCollector(t, source, "8005")
		want(c, "8005", self, "it listens")
		l.Close()
		want(c, "8005", 0, "what is left has no owner")
	})
	t.Run("the oldest connection that has an owner", func(t *testing.T) {
		l := h.Listen(testhost.IPv4, netip.Addr{}, 8006)
		h.Accept(testhost.IPv4, l, testhost.TimeWait)
		h.Accept(testhost.IPv4, l, testhost.CloseWait)
		l.Close()
		want(portCollector(t, source, "8006"), "8006", self, "its own")
	})
	t.Run("not asked for", func(t *testing.T) {
		h.Listen(testhost.IPv4, netip.Addr{}, 8007)
		c, err := netstat.New(netstat.Config{Source: source, Groups: []netstat.Group{{Ports: []string{"8007"}}}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		want(c, "8007", 0, "PID is false")
	})
}

// TestGatherLeaksNothing makes 10,000 Gathers by netlink and by procfs.
func TestGatherLeaksNothing(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	l := h.Listen(testhost.IPv4, netip.Addr{}, 80)
	h.Accept(testhost.IPv4, l, testhost.Established)
	rounds := map[string]int{socket.Netlink: 10_000, socket.Procfs: 1_000}
	if testing.Short() {
		rounds = map[string]int{socket.Netlink: 100, socket.Procfs: 100}
	}
	for source, n := range rounds {
		t.Run(source, func(t *testing.T) {
			fds, goroutines := openDescriptors(t), runtime.NumGoroutine()
			c, err := netstat.New(netstat.Config{PID: true, Source: source, Groups: []netstat.Group{{Ports: []string{"80"}}}})
			if err != nil {
				t.Fatal(err)
			}
			gather(t, c)
			openFDs, openGoroutines := openDescriptors(t), runtime.NumGoroutine()
			for range n {
				gather(t, c)
			}
			if got := openDescriptors(t); got != openFDs {
				t.Errorf("%d descriptors after %d Gathers, %d after the first", got, n, openFDs)
			}
			if got := runtime.NumGoroutine(); got > openGoroutines || got > goroutines {
				t.Errorf("%d goroutines after %d Gathers, %d after the first, %d before", got, n, openGoroutines, goroutines)
			}
			if err := c.Close(); err != nil {
				t.Error(err)
			}
			if got := openDescriptors(t); got != fds {
				t.Errorf("%d descriptors after Close, %d before New", got, fds)
			}
		})
	}
}

func openDescriptors(t *testing.T) int {
	t.Helper()
	names, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(names)
}

// TestPIDOfNewSockets has a row whose socket is another one at each Gather, in a
// process with many descriptors: its owner costs less than the counting.
func TestPIDOfNewSockets(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	for range 12_000 {
		fd, err := unix.Dup(int(os.Stdin.Fd()))
		if err != nil {
			testhost.SkipOrFail(t, "needs 12,000 descriptors: "+err.Error())
		}
		defer unix.Close(fd)
	}
	with := portCollector(t, socket.Netlink, "7100")
	without, err := netstat.New(netstat.Config{Source: socket.Netlink, Groups: []netstat.Group{{Ports: []string{"7100"}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer without.Close()
	var spent [2]time.Duration
	found := 0
	const rounds = 40
	for round := range rounds {
		s := h.Connect(testhost.IPv4, 7100, 0, testhost.Established)
		for i, c := range []*netstat.Collector{with, without} {
			before := processorTime(t)
			pid := pidOf(t, c, "7100")
			if i == 0 && pid == os.Getpid() {
				found++
			}
			if round > 0 { // the first looks everywhere
				spent[i] += processorTime(t) - before
			}
		}
		s.Close()
	}
	if found != rounds {
		t.Errorf("the owner was found in %d of %d Gathers", found, rounds)
	}
	if ratio := float64(spent[0]) / float64(spent[1]); ratio > 2 {
		t.Errorf("Gather with pid takes %.1f times the processor time of one without, %v and %v for %d; want 2 at most", ratio, spent[0], spent[1], rounds-1)
	}
}

// processorTime is what this process has used.
func processorTime(t *testing.T) time.Duration {
	t.Helper()
	var usage unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &usage); err != nil {
		t.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

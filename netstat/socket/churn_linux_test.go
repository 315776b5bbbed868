package socket_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/l4stat/l4stat/internal/testhost"
	"github.com/l4stat/l4stat/netstat/socket"
	"golang.org/x/sys/unix"
)

// With -churn 1000, TestChurn takes an hour, most of it for procfs and the burst.
var (
	churnListings = flag.Int("churn", 0, "how often TestChurn lists each world with each source; 0 takes some seconds")
	churnSources  = flag.String("churnsources", "netlink,procfs", "the sources of TestChurn")
	churnWorld    = flag.String("churnworld", "", "what the names of the worlds of TestChurn begin with")
)

// churnHost is a network namespace of the test's own, in which sockets stay while
// others come and go.
type churnHost struct {
	t      *testing.T
	ns     int
	static map[uint64]int // sockets that stay, by inode: how often the last listing had each
	gone   atomic.Int64   // sockets that came and went
	local  uint16         // the port of those that stay
}

// enterChurnHost makes the namespace, with a hash table of TCP sockets of its own
// if ehash is not 0, and stays in it on this thread until the test ends.
func enterChurnHost(t *testing.T, ehash int) *churnHost {
	t.Helper()
	const sysctl = "/proc/sys/net/ipv4/tcp_child_ehash_entries"
	if ehash > 0 {
		if err := os.WriteFile(sysctl, fmt.Append(nil, ehash), 0); err != nil {
			testhost.SkipOrFail(t, "no hash table of TCP sockets for a namespace (Linux 6.1): "+err.Error())
		}
	}
	runtime.LockOSThread() // for good: the thread ends with the test
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		testhost.SkipOrFail(t, "cannot make a network namespace: "+err.Error())
	}
	ns, err := unix.Open("/proc/thread-self/ns/net", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(ns) })
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		t.Fatalf("ip link set lo up: %v: %s", err, out)
	}
	return &churnHost{t: t, ns: ns, static: map[uint64]int{}, local: 5000}
}

// keep notes a socket that stays until the test ends.
func (h *churnHost) keep(fd int) {
	h.t.Helper()
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		h.t.Fatal(err)
	}
	h.static[st.Ino] = 0
	h.t.Cleanup(func() { unix.Close(fd) })
}

// churn calls again, on a thread in the namespace, until the test ends.
func (h *churnHost) churn(again func() error) {
	stop, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		ended <- func() error {
			if err := unix.Setns(h.ns, unix.CLONE_NEWNET); err != nil {
				return err
			}
			for {
				select {
				case <-stop:
					return nil
				default:
				}
				if err := again(); err != nil {
					return err
				}
				h.gone.Add(1)
			}
		}()
	}()
	h.t.Cleanup(func() {
		close(stop)
		if err := <-ended; err != nil {
			h.t.Errorf("churn: %v", err)
		}
	})
}

func udpSocket(family int, port uint16) (int, error) {
	fd, err := unix.Socket(family, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	var at unix.Sockaddr = &unix.SockaddrInet4{Port: int(port)}
	if family == unix.AF_INET6 {
		at = &unix.SockaddrInet6{Port: int(port)}
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1)
	}
	// Unlike SO_REUSEPORT, SO_REUSEADDR makes no group whose members each new one looks through.
	return fd, errors.Join(err, unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1), unix.Bind(fd, at))
}

// udp makes n UDP sockets of one port that stay.
func (h *churnHost) udp(family, n int) {
	h.t.Helper()
	for range n {
		fd, err := udpSocket(family, h.local)
		if err != nil {
			h.t.Fatal(err)
		}
		h.keep(fd)
	}
}

// churnUDP has up to n UDP sockets of the port at a time come and go.
func (h *churnHost) churnUDP(family, n int) {
	var open []int
	h.t.Cleanup(func() {
		for _, fd := range open {
			unix.Close(fd)
		}
	})
	h.churn(func() error {
		if len(open) == n {
			for _, fd := range open {
				unix.Close(fd)
			}
			open = open[:0]
		}
		fd, err := udpSocket(family, h.local)
		open = append(open, fd)
		return err
	})
}

// listen makes a listener on loopback.
func (h *churnHost) listen(port uint16) (fd int, at *unix.SockaddrInet4) {
	h.t.Helper()
	at = &unix.SockaddrInet4{Port: int(port), Addr: [4]byte{127, 0, 0, 1}}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err := errors.Join(err, unix.Bind(fd, at), unix.Listen(fd, 100)); err != nil {
		h.t.Fatal(err)
	}
	return fd, at
}

func connect(listener int, at unix.Sockaddr) (near, far int, err error) {
	near, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Connect(near, at)
	}
	if err == nil {
		far, _, err = unix.Accept4(listener, unix.SOCK_CLOEXEC)
	}
	return near, far, err
}

// tcp makes n connections that stay, and their listener.
func (h *churnHost) tcp(n int) {
	h.t.Helper()
	l, at := h.listen(h.local)
	h.keep(l)
	for range n {
		near, far, err := connect(l, at)
		if err != nil {
			h.t.Fatal(err)
		}
		h.keep(near)
		h.keep(far)
	}
}

// churnTCP has connections to another port come and go, without TIME_WAIT.
func (h *churnHost) churnTCP() {
	l, at := h.listen(h.local + 1)
	h.t.Cleanup(func() { unix.Close(l) })
	h.churn(func() error {
		near, far, err := connect(l, at)
		if err != nil {
			return err
		}
		return errors.Join(unix.SetsockoptLinger(near, unix.SOL_SOCKET, unix.SO_LINGER, &unix.Linger{Onoff: 1}), unix.Close(near), unix.Close(far))
	})
}

// list lists the host once and tells what is wrong, "" if nothing is: how many of
// the sockets that stay are listed twice, and how many are not listed.
func (h *churnHost) list(src socket.Source) string {
	clear := func() {
		for inode := range h.static {
			h.static[inode] = 0
		}
	}
	clear()
	others := 0
	err := src.Each(context.Background(), socket.Query{}, func(s *socket.Socket) error {
		if _, ok := h.static[s.Inode]; ok {
			h.static[s.Inode]++
		} else if s.Local.Port() == h.local {
			others++
		}
		return nil
	})
	missing, repeated := 0, 0
	for _, n := range h.static {
		switch {
		case n == 0:
			missing++
		case n > 1:
			repeated++
		}
	}
	if err == nil && missing+repeated == 0 {
		return ""
	}
	return fmt.Sprintf("%d missing, %d repeated, %d others, error %v", missing, repeated, others, err)
}

// listOften lists the host n times and reports an error if a listing is wrong that
// the source has not said may be.
func (h *churnHost) listOften(kind string, n int) {
	h.t.Helper()
	warnings := 0
	src, err := socket.Open(kind, socket.Options{ProcRoot: "/proc/thread-self", Warn: func(string) { warnings++ }})
	if err != nil {
		h.t.Fatal(err)
	}
	defer src.Close()
	wrong, unsaid, before, start := 0, 0, h.gone.Load(), time.Now()
	for i := range n {
		said := socket.Incomplete(src)
		what := h.list(src)
		if what == "" {
			continue
		}
		wrong++
		if socket.Incomplete(src) == said {
			unsaid++
			h.t.Errorf("%s: listing %d: %s", kind, i, what)
		}
	}
	incomplete := socket.Incomplete(src)
	h.t.Logf("%s: %d of %d listings wrong, %d of them unsaid; %d said to be incomplete; %v each, while %d sockets came and went",
		kind, wrong, n, unsaid, incomplete, time.Since(start)/time.Duration(n), h.gone.Load()-before)
	if incomplete > 0 && warnings != 1 {
		h.t.Errorf("%s: %d warnings, want 1", kind, warnings)
	}
}

// ss has ss list the host n times, and logs how often it lists another number of
// inodes that stay than there are, or one of them twice.
func (h *churnHost) ss(n int) {
	wrong := 0
	for range n {
		out, err := exec.Command("ss", "-Haetun").Output()
		if err != nil {
			h.t.Fatalf("ss: %v", err)
		}
		seen := map[uint64]int{}
		for field := range strings.FieldsSeq(string(out)) {
			var inode uint64
			if _, err := fmt.Sscanf(field, "ino:%d", &inode); err == nil {
				seen[inode]++
			}
		}
		for inode := range h.static {
			if seen[inode] != 1 {
				wrong++
				break
			}
		}
	}
	h.t.Logf("ss: %d of %d listings wrong", wrong, n)
}

// many gives n, or a third of it where the test is to be quick.
func many(n int) int {
	if *churnListings == 0 {
		return n / 3
	}
	return n
}

// TestChurn has sockets that stay listed once each, to the last one, while others
// come and go in the same chains of the kernel's hash tables, which are so long
// that a listing is cut in the middle of them.
func TestChurn(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	worlds := []struct {
		name  string
		ehash int
		fill  func(h *churnHost)
		n     int // listings without -churn
	}{
		{"UDP, one port, one comes and goes", 0, func(h *churnHost) {
			h.udp(unix.AF_INET, many(4000))
			h.churnUDP(unix.AF_INET, 1)
		}, 15},
		{"UDP, both IP versions, 100 come and go", 0, func(h *churnHost) {
			h.udp(unix.AF_INET, 1000)
			h.udp(unix.AF_INET6, 1000)
			h.churnUDP(unix.AF_INET, 100)
			h.churnUDP(unix.AF_INET6, 100)
		}, 15},
		{"UDP, a burst on one port", 0, func(h *churnHost) {
			h.udp(unix.AF_INET, many(13_000))
			h.churnUDP(unix.AF_INET, 2000)
		}, 5},
		{"TCP, 64 buckets", 64, func(h *churnHost) {
			h.tcp(many(2000))
			h.churnTCP()
		}, 15},
	}
	for _, w := range worlds {
		if !strings.HasPrefix(w.name, *churnWorld) {
			continue
		}
		t.Run(w.name, func(t *testing.T) {
			h := enterChurnHost(t, w.ehash)
			w.fill(h)
			for _, kind := range strings.Split(*churnSources, ",") {
				n := w.n
				switch {
				case *churnListings > 0:
					n = *churnListings
				case testing.Short():
					n = 5
				}
				h.listOften(kind, n)
			}
			if *churnListings > 0 {
				h.ss(*churnListings)
			}
		})
	}
}

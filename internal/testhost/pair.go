//go:build linux

package testhost

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The ends of a [Pair].
var (
	NearAddr = netip.MustParseAddr("10.78.0.1")
	FarAddr  = netip.MustParseAddr("10.78.0.2")
)

// Pair is this process's network namespace, near, joined by a veth with another one, far, which one thread of the
// process is in. Both ends of a connection between them are the kernel's own, and either namespace shows only its own.
type Pair struct {
	t    testing.TB
	work chan func()
}

// NewPair sets up the namespace that [Enter] made: loopback, and a veth with the address 10.78.0.1 whose far end has
// 10.78.0.2. The far namespace goes when the test has ended and nothing in it is open.
func NewPair(t testing.TB) *Pair {
	t.Helper()
	if !entered() {
		t.Fatal("testhost: NewPair changes the network around it, so the test must call Enter first")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		SkipOrFail(t, "needs ip (Debian: iproute2)")
	}
	p := &Pair{t: t, work: make(chan func())}
	ready := make(chan error, 1)
	tid := 0
	go func() {
		runtime.LockOSThread() // for good: the thread ends with this function
		tid = unix.Gettid()
		ready <- os.NewSyscallError("unshare", unix.Unshare(unix.CLONE_NEWNET))
		for fn := range p.work {
			fn()
		}
	}()
	if err := <-ready; err != nil {
		SkipOrFail(t, "cannot make a second network namespace: "+err.Error())
	}
	t.Cleanup(func() { close(p.work) })
	p.Near("ip", "link", "set", "lo", "up")
	if out, err := exec.Command("ip", "link", "add", "near", "type", "veth", "peer", "name", "far").CombinedOutput(); err != nil {
		SkipOrFail(t, fmt.Sprintf("cannot make a veth: %v: %s", err, out))
	}
	p.Near("ip", "link", "set", "far", "netns", fmt.Sprint(tid))
	p.Near("ip", "address", "add", NearAddr.String()+"/24", "dev", "near")
	p.Near("ip", "link", "set", "near", "up")
	p.Far("ip", "link", "set", "lo", "up")
	p.Far("ip", "address", "add", FarAddr.String()+"/24", "dev", "far")
	p.Far("ip", "link", "set", "far", "up")
	return p
}

// Near runs a program in the near namespace and gives what it writes. It has to succeed.
func (p *Pair) Near(name string, args ...string) string {
	p.t.Helper()
	out, err := exec.Command(name, args...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("testhost: %s %s: %v\n%s", name, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// Far runs a program in the far namespace, as Near does.
func (p *Pair) Far(name string, args ...string) (out string) {
	p.t.Helper()
	p.InFar(func() error {
		b, err := exec.Command(name, args...).CombinedOutput()
		if out = string(b); err != nil {
			return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(args, " "), err, out)
		}
		return nil
	})
	return out
}

// InFar calls fn on the thread that is in the far namespace. What fn opens belongs there, and can be used from
// anywhere. An error ends the test.
func (p *Pair) InFar(fn func() error) {
	p.t.Helper()
	ended := make(chan error)
	p.work <- func() { ended <- fn() }
	if err := <-ended; err != nil {
		p.t.Fatalf("testhost: in the far namespace: %v", err)
	}
}

// ListenNear listens on an address of the near namespace.
func (p *Pair) ListenNear(at netip.AddrPort) *net.TCPListener {
	p.t.Helper()
	l, err := listen(at)
	if err != nil {
		p.t.Fatalf("testhost: %v", err)
	}
	p.t.Cleanup(func() { _ = l.Close() })
	return l
}

// ListenFar listens on an address of the far namespace.
func (p *Pair) ListenFar(at netip.AddrPort) (l *net.TCPListener) {
	p.t.Helper()
	p.InFar(func() (err error) {
		l, err = listen(at)
		return err
	})
	p.t.Cleanup(func() { _ = l.Close() })
	return l
}

func listen(at netip.AddrPort) (*net.TCPListener, error) {
	var config net.ListenConfig
	config.SetMultipathTCP(false) // whose sockets are not TCP's alone
	l, err := config.Listen(context.Background(), "tcp", at.String())
	if err != nil {
		return nil, err
	}
	return l.(*net.TCPListener), nil
}

// DialNear connects from the near namespace to a listener, from any port if that is 0, and gives both ends.
func (p *Pair) DialNear(from netip.AddrPort, to *net.TCPListener) (dialed, accepted *net.TCPConn) {
	p.t.Helper()
	dialed, accepted, err := dial(from, to)
	if err != nil {
		p.t.Fatalf("testhost: %v", err)
	}
	p.closeLater(dialed, accepted)
	return dialed, accepted
}

// DialFar connects from the far namespace.
func (p *Pair) DialFar(from netip.AddrPort, to *net.TCPListener) (dialed, accepted *net.TCPConn) {
	p.t.Helper()
	p.InFar(func() (err error) {
		dialed, accepted, err = dial(from, to)
		return err
	})
	p.closeLater(dialed, accepted)
	return dialed, accepted
}

func (p *Pair) closeLater(conns ...*net.TCPConn) {
	p.t.Cleanup(func() {
		for _, c := range conns {
			_ = c.SetLinger(0)
			_ = c.Close()
		}
	})
}

func dial(from netip.AddrPort, to *net.TCPListener) (dialed, accepted *net.TCPConn, err error) {
	d := net.Dialer{LocalAddr: net.TCPAddrFromAddrPort(from), Timeout: patience}
	conn, err := d.Dial("tcp", to.Addr().String())
	if err != nil {
		return nil, nil, err
	}
	if err := to.SetDeadline(time.Now().Add(patience)); err != nil {
		return nil, nil, err
	}
	accepted, err = to.AcceptTCP()
	return conn.(*net.TCPConn), accepted, err
}

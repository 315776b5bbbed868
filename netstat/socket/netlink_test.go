package socket

import (
	"context"
	"errors"
	"syscall"
	"testing"
	"time"

	"github.com/l4stat/l4stat/internal/fakediag"
)

func fakeNetlink(k *fakediag.Kernel) *netlink {
	return &netlink{dial: func() (Conn, error) { return k.Dial(), nil }}
}

// fakeSockets gives n connections over IPv4 and one UDP socket.
func fakeSockets(n int) []fakediag.Socket {
	return append(fakediag.Connections(n, 8000, 8009),
		fakediag.Socket{Protocol: 17, State: 7, Local: ap("0.0.0.0:53"), Remote: ap("0.0.0.0:0"), Inode: 5})
}

func TestNetlink(t *testing.T) {
	const n = 1000 // several datagrams
	src := fakeNetlink(fakediag.New(fakeSockets(n)))
	for range 2 { // the connection serves again
		tcp, udp := 0, 0
		err := src.Each(context.Background(), Query{}, func(s *Socket) error {
			switch s.Protocol {
			case TCP:
				tcp++
			case UDP:
				udp++
			}
			return nil
		})
		if err != nil || tcp != n || udp != 1 {
			t.Errorf("got %d TCP and %d UDP sockets, error %v; want %d and 1", tcp, udp, err, n)
		}
	}
}

// TestNetlinkRecovers has a listing given up half-way, by the caller and by the
// context, and then one that succeeds.
func TestNetlinkRecovers(t *testing.T) {
	kernel := fakediag.New(fakeSockets(1000))
	src := fakeNetlink(kernel)
	enough := errors.New("enough")
	if err := src.Each(context.Background(), Query{}, func(*Socket) error { return enough }); err != enough {
		t.Errorf("the caller's error came back as %v", err)
	}
	cause := errors.New("asked to stop")
	ctx, cancel := context.WithCancelCause(context.Background())
	err := src.Each(ctx, Query{}, func(*Socket) error {
		cancel(cause)
		return nil
	})
	if !errors.Is(err, cause) {
		t.Errorf("a context that ended gave %v, want %v", err, cause)
	}
	n := 0
	if err := src.Each(context.Background(), Query{}, func(*Socket) error { n++; return nil }); err != nil || n != 1001 {
		t.Errorf("afterwards there are %d sockets and error %v, want 1001", n, err)
	}
}

// TestNetlinkDeadline has a kernel that never ends its dump.
func TestNetlinkDeadline(t *testing.T) {
	kernel := fakediag.New(fakeSockets(10))
	kernel.Stall()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	n := 0
	err := fakeNetlink(kernel).Each(ctx, Query{}, func(*Socket) error { n++; return nil })
	if !errors.Is(err, context.DeadlineExceeded) || n != 10 {
		t.Errorf("got %d sockets and error %v, want 10 and %v", n, err, context.DeadlineExceeded)
	}
}

// TestNetlinkTableErrors has one table fail; the others are still read.
func TestNetlinkTableErrors(t *testing.T) {
	kernel := fakediag.New(fakeSockets(10))
	kernel.Refuse(true, 6, syscall.ENOENT)
	n := 0
	err := fakeNetlink(kernel).Each(context.Background(), Query{}, func(*Socket) error { n++; return nil })
	var failed TableErrors
	if !errors.As(err, &failed) || len(failed) != 1 || failed[0].Table != TCP6 || !errors.Is(err, syscall.ENOENT) || n != 11 {
		t.Errorf("got %d sockets and error %v, want 11 and that tcp6 failed with %v", n, err, syscall.ENOENT)
	}
}

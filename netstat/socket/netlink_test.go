package socket

import (
	"context"
	"errors"
	"slices"
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

// TestNetlinkTableErrors has one dump fail; the others are still read.
func TestNetlinkTableErrors(t *testing.T) {
	tests := []struct {
		name     string
		ipv6     bool
		protocol uint8
		tables   []Table // to read
		sockets  int
		failed   []Table
	}{
		{"a table", true, 17, nil, 11, []Table{UDP6}},
		{"a table of TCP, read by itself", true, 6, []Table{TCP6, UDP4}, 1, []Table{TCP6}},
		{"a table of TCP, read with the other", true, 6, nil, 1, tcpTables},
		{"the same in another order", false, 6, []Table{UDP4, TCP6, UDP6, TCP4}, 1, tcpTables},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			kernel := fakediag.New(fakeSockets(10))
			kernel.Refuse(tt.ipv6, tt.protocol, syscall.ENOENT)
			got, err := collect(t, fakeNetlink(kernel), Query{Tables: tt.tables})
			var errs TableErrors
			if !errors.As(err, &errs) || !errors.Is(err, syscall.ENOENT) || len(got) != tt.sockets {
				t.Fatalf("got %d sockets and error %v, want %d and %v", len(got), err, tt.sockets, syscall.ENOENT)
			}
			var failed []Table
			for _, e := range errs {
				failed = append(failed, e.Table)
			}
			if !slices.Equal(failed, tt.failed) {
				t.Errorf("tables %v failed, want %v", failed, tt.failed)
			}
		})
	}
}

func TestDumps(t *testing.T) {
	tests := []struct{ tables, want [][]Table }{
		{[][]Table{{TCP4, TCP6, UDP4, UDP6}}, [][]Table{{TCP4, TCP6}, {UDP4}, {UDP6}}},
		{[][]Table{{UDP6, TCP6, UDP4, TCP4}}, [][]Table{{UDP6}, {TCP4, TCP6}, {UDP4}}},
		{[][]Table{{TCP4}, {TCP6}}, [][]Table{{TCP4}, {TCP6}}},
		{[][]Table{{TCP6, UDP6}}, [][]Table{{TCP6}, {UDP6}}},
	}
	for _, tt := range tests {
		var got [][]Table
		for _, tables := range tt.tables {
			got = slices.AppendSeq(got, dumps(tables))
		}
		if !slices.EqualFunc(got, tt.want, slices.Equal[[]Table]) {
			t.Errorf("%v takes dumps of %v, want %v", tt.tables, got, tt.want)
		}
	}
}

// requests counts what is asked of a fake kernel.
type requests struct {
	kernel       *fakediag.Kernel
	all, filters int
}

func (r *requests) dial() (Conn, error) { return requestConn{r.kernel.Dial(), r}, nil }

type requestConn struct {
	*fakediag.Conn
	r *requests
}

func (c requestConn) Write(b []byte) (int, error) {
	c.r.all++
	const bare, bareBoth = 72, 76
	if n := len(b); n != bare && n != bareBoth {
		c.r.filters++
	}
	return c.Conn.Write(b)
}

// TestNetlinkUnfiltered has kernels that do not filter by port, though they are
// asked to: the sockets are the same, and nothing else changes.
func TestNetlinkUnfiltered(t *testing.T) {
	tests := []struct {
		name       string
		kernel     func(*fakediag.Kernel)
		requests   int // of two listings in three dumps
		withFilter int
	}{
		{"one that ignores the filter", func(*fakediag.Kernel) {}, 6, 6},
		{"one that refuses the filter", (*fakediag.Kernel).RefuseFilter, 7, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := &requests{kernel: fakediag.New(fakeSockets(1000))} // on ports 8000 to 8009 in turn
			tt.kernel(r.kernel)
			src := NewNetlink(r.dial)
			for range 2 {
				n := 0
				q := Query{LocalPorts: PortRange{8001, 8003}}
				err := src.Each(context.Background(), q, func(s *Socket) error {
					if port := s.Local.Port(); port < 8001 || port > 8003 {
						t.Errorf("a socket of port %d", port)
					}
					n++
					return nil
				})
				if err != nil || n != 300 {
					t.Errorf("got %d sockets and error %v, want 300", n, err)
				}
			}
			if r.all != tt.requests || r.filters != tt.withFilter {
				t.Errorf("%d requests, %d of them with a filter; want %d and %d", r.all, r.filters, tt.requests, tt.withFilter)
			}
			*r = requests{kernel: r.kernel}
			if got, err := collect(t, src, Query{}); err != nil || len(got) != 1001 || r.all != 3 || r.filters != 0 {
				t.Errorf("without ports: %d sockets, error %v, %d requests, %d of them with a filter; want 1001, none, 3, 0",
					len(got), err, r.all, r.filters)
			}
		})
	}
}

// TestNetlinkRefusesAll has a kernel that refuses every request: it is asked
// with the filter and without, and asked so again, since the filter was not
// what it refused.
func TestNetlinkRefusesAll(t *testing.T) {
	r := &requests{kernel: fakediag.New(nil)}
	r.kernel.Refuse(false, 6, syscall.EINVAL)
	src := NewNetlink(r.dial)
	for range 2 {
		q := Query{Tables: []Table{TCP4}, LocalPorts: Port(80)}
		err := src.Each(context.Background(), q, func(*Socket) error { return nil })
		if !errors.Is(err, syscall.EINVAL) {
			t.Errorf("got error %v, want %v", err, syscall.EINVAL)
		}
	}
	if r.all != 4 || r.filters != 2 {
		t.Errorf("%d requests, %d of them with a filter; want 4 and 2", r.all, r.filters)
	}
}

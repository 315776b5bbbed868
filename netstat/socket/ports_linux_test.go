package socket

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/internal/testhost"
)

// countingConn is a connection to the kernel that counts the sockets which come
// in, before anything in this package has looked at them.
type countingConn struct {
	Conn
	sockets *int
}

func (c countingConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	for rest := b[:max(n, 0)]; len(rest) >= nlmsghdrLen; {
		switch binary.NativeEndian.Uint16(rest[4:]) {
		case sockDiagByFamily, tcpdiagGetsock:
			*c.sockets++
		}
		length := int(binary.NativeEndian.Uint32(rest))
		if length < nlmsghdrLen {
			break
		}
		rest = rest[min((length+3)&^3, len(rest)):]
	}
	return n, err
}

// TestQueryPorts has every source give, of real sockets in every state, those
// and only those whose ports are asked for, and has the kernel be who picks
// them out where the source is netlink.
func TestQueryPorts(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	made := fillPorts(testhost.New(t))

	type query struct {
		name  string
		q     Query
		empty bool
	}
	tcp := []Table{TCP4, TCP6}
	queries := []query{
		{"everything", Query{}, false},
		{"every port, spelt out", Query{LocalPorts: PortRange{0, 65535}, RemotePorts: PortRange{0, 65535}}, false},
		{"one local port", Query{LocalPorts: Port(80)}, false},
		{"a range of local ports", Query{LocalPorts: PortRange{53, 443}}, false},
		{"local ports up to", Query{LocalPorts: PortRange{0, 80}}, false},
		{"local ports from", Query{LocalPorts: PortRange{80, 65535}}, false},
		{"one remote port", Query{RemotePorts: Port(5432)}, false},
		{"a range of remote ports", Query{RemotePorts: PortRange{5432, 20010}}, false},
		{"a local and a remote range", Query{LocalPorts: PortRange{80, 8080}, RemotePorts: PortRange{20000, 30000}}, false},
		{"a local and a remote port", Query{LocalPorts: Port(6000), RemotePorts: Port(5432)}, false},
		{"the first local port", Query{LocalPorts: Port(1)}, false},
		{"the last local port", Query{LocalPorts: Port(65535)}, false},
		{"the first remote port", Query{RemotePorts: Port(1)}, false},
		{"the last remote port", Query{RemotePorts: Port(65535)}, false},
		{"with a peer", Query{RemotePorts: PortRange{1, 65535}}, false},
		{"without a peer, or with the first port", Query{RemotePorts: PortRange{0, 1}}, false},
		{"a local port that nobody has", Query{LocalPorts: Port(9)}, true},
		{"a remote port that nobody has", Query{RemotePorts: Port(9)}, true},
		{"ports that nobody has both of", Query{LocalPorts: Port(443), RemotePorts: Port(5432)}, true},
		{"a port that is bound and nothing else", Query{LocalPorts: Port(81)}, true},
		{"one table", Query{Tables: []Table{UDP6}, LocalPorts: Port(53)}, false},
		{"listeners of a port, and its UDP sockets", Query{States: States(StateListen), LocalPorts: Port(80)}, false},
		{"listeners of a port", Query{Tables: tcp, States: States(StateListen), LocalPorts: Port(80)}, false},
		{"listeners with a peer", Query{Tables: tcp, States: States(StateListen), RemotePorts: PortRange{1, 65535}}, true},
		{"mini-sockets of a port", Query{Tables: tcp, States: States(StateTimeWait, StateSynRecv), LocalPorts: Port(8080)}, false},
	}
	var each []query // so that the kernel picks out each kind of socket for its ports
	for _, s := range made {
		q := Query{LocalPorts: Port(s.Local.Port()), RemotePorts: Port(s.Remote.Port())}
		each = append(each, query{fmt.Sprintf("%v %s %v %v", s.Version, s.State, s.Local, s.Remote), q, false})
	}

	var messages int
	counting := func() (Conn, error) {
		conn, err := dialer(kernel.This())()
		return countingConn{conn, &messages}, err
	}
	sources := map[string]Source{
		Netlink: NewNetlink(counting),
		Procfs:  newProcfs("/proc"),
		Auto: &auto{
			netlink: &netlink{dial: counting},
			procfs:  newProcfs("/proc"),
			warn:    func(m string) { t.Errorf("warning: %s", m) },
		},
	}
	for kind, src := range sources {
		t.Run(kind, func(t *testing.T) {
			t.Cleanup(func() {
				if err := src.Close(); err != nil {
					t.Error(err)
				}
			})
			everything := map[Table][]Socket{}
			n := 0
			for _, table := range tables {
				everything[table] = listPorts(t, src, Query{Tables: []Table{table}})
				n += len(everything[table])
			}
			if n != len(made) {
				t.Fatalf("%d sockets are listed, %d were made", n, len(made))
			}
			queries := queries
			if kind != Procfs { // a read of which costs milliseconds
				queries = slices.Concat(queries, each)
			}
			for _, tt := range queries {
				t.Run(tt.name, func(t *testing.T) {
					var want []Socket
					for table, all := range everything {
						for _, s := range all {
							if asked(tt.q, table, s) {
								want = append(want, s)
							}
						}
					}
					sortSockets(want)
					if (len(want) == 0) != tt.empty {
						t.Fatalf("%d sockets are asked for; is there to be none: %v", len(want), tt.empty)
					}
					messages = 0
					got := listPorts(t, src, tt.q)
					if !slices.Equal(got, want) {
						t.Errorf("got  %v\nwant %v", got, want)
					}
					if kind != Procfs && messages != len(want) {
						t.Errorf("the kernel sent %d sockets, want the %d asked for", messages, len(want))
					}
				})
			}
			for _, table := range tables {
				if after := listPorts(t, src, Query{Tables: []Table{table}}); !slices.Equal(after, everything[table]) {
					t.Errorf("table %v is no longer what the test began with:\n%v\n%v", table, after, everything[table])
				}
			}
		})
	}
}

// fillPorts makes sockets in every state over IPv4, IPv6 and IPv4-mapped, with
// the ports that TestQueryPorts asks for, and gives those that the kernel's
// tables show.
func fillPorts(h *testhost.Host) []*testhost.Sock {
	socks := slices.Concat(
		h.EveryState(testhost.IPv4, 80),
		h.EveryState(testhost.IPv6, 443),
		h.EveryState(testhost.Mapped, 8080),
		h.EveryState(testhost.IPv4, 1),
		h.EveryState(testhost.IPv6, 65535),
	)
	for i, v := range []testhost.Version{testhost.IPv4, testhost.IPv6, testhost.Mapped} {
		port := 6000 + 10*uint16(i)
		socks = append(socks,
			h.Connect(v, port, 5432, testhost.Established),
			h.Connect(v, port+1, 5432, testhost.TimeWait),
			h.Connect(v, port+2, 1, testhost.FinWait2Orphan),
			h.Connect(v, port+3, 65535, testhost.SynSent),
			h.Listen(v, h.Addr(v), 9000+uint16(i)),
			h.Listen(v, h.Addr(v), 9000+uint16(i)), // SO_REUSEPORT
			h.UDP(v, netip.Addr{}, 53+uint16(i), false),
			h.UDP(v, h.Addr(v), 53, false),
			h.UDP(v, h.Addr(v), 80, true),
			h.UDP(v, netip.Addr{}, 1, true),
			h.UDP(v, netip.Addr{}, 65535, false),
		)
	}
	h.Bound(testhost.IPv4, 81)
	h.Bound(testhost.IPv6, 81)
	return socks
}

// listPorts gives what a source lists, in an order that does not depend on it.
func listPorts(t *testing.T, src Source, q Query) []Socket {
	t.Helper()
	var all []Socket
	err := src.Each(context.Background(), q, func(s *Socket) error {
		all = append(all, *s)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	sortSockets(all)
	return all
}

func sortSockets(s []Socket) {
	slices.SortFunc(s, func(a, b Socket) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
}

// asked says again what a Query asks for.
func asked(q Query, table Table, s Socket) bool {
	if q.Tables != nil && !slices.Contains(q.Tables, table) {
		return false
	}
	port := func(p uint16, r PortRange) bool {
		return r.First == 0 && r.Last == 0 || p >= r.First && p <= r.Last
	}
	if s.Protocol == TCP && q.States != 0 && q.States&(1<<s.State) == 0 {
		return false
	}
	return port(s.Local.Port(), q.LocalPorts) && port(s.Remote.Port(), q.RemotePorts)
}

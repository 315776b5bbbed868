package socket

import (
	"context"
	"strings"
	"syscall"
	"testing"
)

func TestPortRange(t *testing.T) {
	tests := []struct {
		ports   PortRange
		in, out []uint16
	}{
		{PortRange{}, []uint16{0, 1, 80, 65535}, nil},
		{PortRange{0, 65535}, []uint16{0, 1, 80, 65535}, nil},
		{Port(80), []uint16{80}, []uint16{0, 79, 81, 65535}},
		{Port(1), []uint16{1}, []uint16{0, 2}},
		{Port(65535), []uint16{65535}, []uint16{0, 65534}},
		{PortRange{0, 80}, []uint16{0, 1, 80}, []uint16{81}},
		{PortRange{80, 90}, []uint16{80, 85, 90}, []uint16{0, 79, 91}},
		{PortRange{1, 65535}, []uint16{1, 65535}, []uint16{0}},
	}
	for _, tt := range tests {
		for _, port := range tt.in {
			if !tt.ports.Has(port) {
				t.Errorf("%v has not port %d", tt.ports, port)
			}
		}
		for _, port := range tt.out {
			if tt.ports.Has(port) {
				t.Errorf("%v has port %d", tt.ports, port)
			}
		}
	}
	if Port(0) != (PortRange{}) {
		t.Errorf("Port(0) is %v, want the zero PortRange", Port(0))
	}
}

// TestQueryWithoutPorts has ranges without ports refused by every source,
// before it reads anything.
func TestQueryWithoutPorts(t *testing.T) {
	unused := func() (Conn, error) {
		t.Error("a connection was made")
		return nil, syscall.EPERM
	}
	sources := map[string]Source{
		Netlink:  NewNetlink(unused),
		Procfs:   newProcfs(t.TempDir()), // where there is no table to read
		Gopsutil: newGopsutil(Options{}),
	}
	if open := openers[Auto]; open != nil {
		sources[Auto] = open(Options{})
	}
	tests := []struct {
		q    Query
		want []string
	}{
		{Query{LocalPorts: PortRange{81, 80}}, []string{"local", "81", "80"}},
		{Query{RemotePorts: PortRange{First: 1}}, []string{"remote", "1", "0"}},
		{Query{LocalPorts: PortRange{81, 80}, RemotePorts: PortRange{65535, 1}}, []string{"local", "remote", "65535"}},
	}
	for name, src := range sources {
		t.Run(name, func(t *testing.T) {
			for _, tt := range tests {
				err := src.Each(context.Background(), tt.q, func(s *Socket) error {
					t.Errorf("%+v gave %+v", tt.q, s)
					return nil
				})
				if err == nil {
					t.Errorf("%+v is no error", tt.q)
					continue
				}
				for _, want := range tt.want {
					if !strings.Contains(err.Error(), want) {
						t.Errorf("the error of %+v does not say %q: %v", tt.q, want, err)
					}
				}
			}
		})
	}
}

// TestProcfsPorts has a source that cannot have the kernel filter.
func TestProcfsPorts(t *testing.T) {
	needLittleEndian(t)
	tests := []struct {
		name string
		q    Query
		want int
	}{
		{"one local port: listeners that share it count each", Query{LocalPorts: Port(8080)}, 2},
		{"a local range over TCP and UDP", Query{LocalPorts: PortRange{53, 80}}, 3 + 2},
		{"one remote port, over IPv4 and mapped", Query{RemotePorts: Port(50000)}, 1 + 2},
		{"no peer", Query{RemotePorts: PortRange{0, 1}}, 3 + 1},
		{"both", Query{LocalPorts: Port(443), RemotePorts: PortRange{50001, 50002}}, 2},
		{"with a state, which is TCP's", Query{LocalPorts: PortRange{1, 443}, States: States(StateTimeWait)}, 1 + 2},
		{"nobody's", Query{LocalPorts: Port(9)}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := collect(t, newProcfs(testProc), tt.q)
			if err != nil || len(got) != tt.want {
				t.Errorf("got %d sockets, error %v; want %d: %+v", len(got), err, tt.want, got)
			}
		})
	}
}

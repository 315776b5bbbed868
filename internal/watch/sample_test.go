package watch

import (
	"context"
	"errors"
	"net/netip"
	"reflect"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/socket"
)

// everyState has a TCP socket of each state, from one of StateNone to eleven of
// StateClosing, and three connected UDP sockets beside two that are not.
func everyState() *sockets {
	s := &sockets{}
	for state := range socket.NumStates {
		for range max(state, 1) {
			s.list = append(s.list, socket.Socket{Protocol: socket.TCP, State: socket.State(state)})
		}
	}
	for range 3 {
		s.list = append(s.list, socket.Socket{Protocol: socket.UDP, State: socket.StateEstablished})
	}
	for range 2 {
		s.list = append(s.list, socket.Socket{Protocol: socket.UDP, State: socket.StateClose})
	}
	return s
}

// states gives the blocks that are counts of sockets.
func states(groups ...Group) []*Block {
	var blocks []*Block
	for _, b := range blocksOf(groups...) {
		if b.sockets != nil {
			blocks = append(blocks, b)
		}
	}
	return blocks
}

func TestStates(t *testing.T) {
	t.Parallel()
	s := NewSampler(states(newTCP(), newUDP()), everyState(), kernel.Host{}, func(text string) { t.Error(text) })
	for range 2 { // the second begins anew
		sample, err := s.Sample(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		want := [][]float64{
			{10, 1, 2 + 3, 6, 4 + 5 + 7 + 8 + 9 + 11},
			{2, 3},
		}
		if !reflect.DeepEqual(sample.Values, want) {
			t.Errorf("counts are %v, want %v", sample.Values, want)
		}
		if sample.Sockets != 1+66+5 {
			t.Errorf("there are %d sockets, want 72", sample.Sockets)
		}
	}
}

// TestFailedTable has the blocks of a table that cannot be read, and only those,
// be unknown.
func TestFailedTable(t *testing.T) {
	t.Parallel()
	source := everyState()
	source.err = socket.TableErrors{{Table: socket.UDP6, Err: errors.New("refused")}}
	var warnings []string
	s := NewSampler(states(newTCP(), newUDP()), source, kernel.Host{}, func(text string) { warnings = append(warnings, text) })
	sample, err := s.Sample(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if got := sample.Values; got[0][0] != 10 || exact(got[1][0])+exact(got[1][1]) != "" {
		t.Errorf("counts are %v, want those of UDP unknown", got)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "--udp") || !strings.Contains(warnings[0], "table udp6: refused") {
		t.Errorf("warnings are %q", warnings)
	}
}

// TestPorts has a socket count in the group of the first entry that matches.
func TestPorts(t *testing.T) {
	t.Parallel()
	g, err := NewPorts([]netstat.Config{
		{Groups: []netstat.Group{
			{Ports: []string{"80", "10.0.0.1:443"}, Tags: map[string]string{"service": "http", "a": "b"}},
			{PortsMatch: []string{"*:443"}, Tags: map[string]string{"team": "edge"}},
			{Ports: []string{"3306"}, Side: netstat.RemoteSide, Tags: map[string]string{"service": "http"}},
			{Ports: []string{"53", "5353", "1234-1240"}},
		}},
		{Groups: []netstat.Group{{Ports: []string{"80-90"}}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	source := &sockets{}
	add := func(n int, p socket.Protocol, state socket.State, local, remote string) {
		for range n {
			source.list = append(source.list, socket.Socket{Protocol: p, State: state, Local: netip.MustParseAddrPort(local), Remote: netip.MustParseAddrPort(remote)})
		}
	}
	add(1, socket.TCP, socket.StateEstablished, "10.0.0.1:80", "10.0.0.2:3306") // both sides
	add(2, socket.TCP, socket.StateEstablished, "10.0.0.1:443", "10.0.0.2:40000")
	add(4, socket.TCP, socket.StateEstablished, "[2001:db8::1]:443", "[2001:db8::2]:40000")
	add(8, socket.UDP, socket.StateClose, "0.0.0.0:53", "0.0.0.0:0")
	add(16, socket.UDP, socket.StateEstablished, "10.0.0.1:85", "10.0.0.2:53")
	add(32, socket.TCP, socket.StateListen, "0.0.0.0:80", "0.0.0.0:0")
	add(64, socket.TCP, socket.StateTimeWait, "10.0.0.1:80", "10.0.0.2:40000")

	sample, err := NewSampler(g.Blocks, source, kernel.Host{}, func(text string) { t.Error(text) }).Sample(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if want := []float64{1 + 2, 4, 1, 8, 1 + 16}; !reflect.DeepEqual(sample.Values[0], want) {
		t.Errorf("counts are %v, want %v", sample.Values[0], want)
	}
	var names []string
	for _, c := range g.Blocks[0].Columns {
		names = append(names, c.Name)
	}
	if want := []string{"http", "edge", "http#2", "53,5353,1234", "80-90"}; !reflect.DeepEqual(names, want) {
		t.Errorf("columns are %q, want %q", names, want)
	}

	if _, err := NewPorts([]netstat.Config{{Groups: []netstat.Group{{Ports: []string{"0"}}}}}); err == nil {
		t.Error("port 0 is no error")
	}
}

// many is a source of n sockets, which it makes as it goes.
type many struct{ n int }

func (m *many) Each(_ context.Context, _ socket.Query, fn func(*socket.Socket) error) error {
	s := socket.Socket{Protocol: socket.TCP, State: socket.StateEstablished}
	for range m.n {
		if err := fn(&s); err != nil {
			return err
		}
	}
	return nil
}

func (m *many) Close() error { return nil }

// TestAllocations holds that a sample keeps nothing for each socket.
func TestAllocations(t *testing.T) {
	g, err := NewPorts([]netstat.Config{{Groups: []netstat.Group{{Ports: []string{"80"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	per := func(n int) float64 {
		s := NewSampler(states(newTCP(), newUDP(), g), &many{n}, kernel.Host{}, ignore)
		return testing.AllocsPerRun(5, func() {
			if _, err := s.Sample(t.Context()); err != nil {
				t.Fatal(err)
			}
		})
	}
	if few, all := per(10), per(100000); all > few {
		t.Errorf("a sample of 10 sockets makes %v allocations, one of 100,000 %v", few, all)
	}
}

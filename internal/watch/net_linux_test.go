package watch

import (
	"math"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/internal/testhost"
)

// TestNetInterfaceGoes has an interface be deleted, and made anew under its name,
// between two samples: the rate is what went through the other.
func TestNetInterfaceGoes(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	ip := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			testhost.SkipOrFail(t, "ip "+strings.Join(args, " ")+": "+err.Error()+": "+string(out))
		}
	}
	// IPv6 would say something by itself.
	if err := os.WriteFile("/proc/sys/net/ipv6/conf/default/disable_ipv6", []byte("1"), 0); err != nil {
		testhost.SkipOrFail(t, err.Error())
	}
	// What is sent to network.2 ends at the other end of a veth.
	add := func(name, network string) {
		t.Helper()
		ip("link", "add", name, "type", "veth", "peer", "name", name+"-end")
		ip("addr", "add", network+".1/24", "dev", name)
		ip("link", "set", name+"-end", "up")
		ip("link", "set", name, "up")
		ip("neigh", "add", network+".2", "lladdr", "02:00:00:00:00:02", "dev", name, "nud", "permanent")
	}
	send := func(network string, datagrams int) {
		t.Helper()
		c, err := net.Dial("udp4", network+".2:9")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		for range datagrams {
			if _, err := c.Write(make([]byte, 1000)); err != nil {
				t.Fatal(err)
			}
		}
	}
	sent := func(name string) float64 {
		t.Helper()
		all := newReading(t.Context(), kernel.At("/proc")).items(newNet().items)
		if all.err != nil || all.byName[name].values == nil {
			t.Fatalf("%s: %v", name, all.err)
		}
		return all.byName[name].values[1]
	}
	const stays, goes = "10.80.1", "10.80.2"
	add("stays", stays)
	add("goes", goes)
	send(goes, 500)

	apart := newNet().Of([]string{"stays", "goes", Total})
	var warnings []string
	s := NewSampler(blocksOf(newNet(), apart), &sockets{}, kernel.At("/proc"), func(text string) { warnings = append(warnings, text) })
	sample := func() [][]float64 {
		t.Helper()
		sample, err := s.Sample(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return sample.Values
	}
	sample()
	steps := []struct {
		name  string
		do    func()
		goes  string
		warns int
	}{
		{"both stay", func() {}, "0", 0},
		{"one goes", func() { ip("link", "del", "goes") }, "", 1},
		{"it comes back", func() { add("goes", goes); send(goes, 100) }, "", 0},
		{"it is made anew", func() { ip("link", "del", "goes"); add("goes", goes) }, "", 0},
		{"both stay once more", func() {}, "0", 0},
	}
	for _, step := range steps {
		before, from := sent("stays"), s.last[0].at
		warnings = nil
		send(stays, 1000)
		step.do()
		values := sample()
		bytes, over := sent("stays")-before, s.last[0].at.Sub(from).Seconds()
		for i, b := range s.blocks {
			got := values[i][1] * over
			switch {
			case b.item == "goes":
				if exact(values[i][1]) != step.goes {
					t.Errorf("%s: that shows %v bytes per second, want %q", step.name, values[i][1], step.goes)
				}
			case !(math.Abs(got-bytes) <= 0.001*bytes):
				t.Errorf("%s: %s shows %.0f bytes sent, of %.0f", step.name, b.Title, got, bytes)
			}
		}
		if len(warnings) != step.warns {
			t.Errorf("%s: warnings are %q, want %d", step.name, warnings, step.warns)
		}
	}
}

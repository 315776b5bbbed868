package counters

import (
	"fmt"
	"net"
	"slices"
	"testing"

	"github.com/l4stat/l4stat/internal/testhost"
)

// ipLink is what ip -s -j link has of an interface.
type ipLink struct {
	Ifname string
	State  string                   `json:"operstate"`
	Stats  struct{ RX, TX ipStats } `json:"stats64"`
}

type ipStats struct{ Bytes, Packets, Errors, Dropped, Missed int64 }

// figures gives what the set has to have. The kernel's /proc/net/dev adds up what
// ip has as dropped and missed.
func (l *ipLink) figures() map[string]any {
	return map[string]any{
		"bytes_recv": l.Stats.RX.Bytes, "packets_recv": l.Stats.RX.Packets, "err_in": l.Stats.RX.Errors, "drop_in": l.Stats.RX.Dropped + l.Stats.RX.Missed,
		"bytes_sent": l.Stats.TX.Bytes, "packets_sent": l.Stats.TX.Packets, "err_out": l.Stats.TX.Errors, "drop_out": l.Stats.TX.Dropped,
	}
}

// TestInterfaceLive compares with ip -s -j link, before and after traffic.
func TestInterfaceLive(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	compare := func(n int) map[string]map[string]any {
		t.Helper()
		var got, want map[string]map[string]any
		// What the kernel itself sends may come between the two.
		until(t, "the figures are those of ip -s -j link", func() bool {
			got, want = read(t, interfaces), map[string]map[string]any{}
			for _, link := range ipJSON[ipLink](t, "-s", "link") {
				want[link.Ifname] = link.figures()
			}
			return fmt.Sprint(got) == fmt.Sprint(want)
		})
		if len(got) != n {
			t.Errorf("%d interfaces, want %d: %v", len(got), n, got)
		}
		return got
	}
	compare(1)
	// Without IPv6, nobody but the test sends anything.
	ip(t, "4", "link set dev lo up", "link add dev a type veth peer name b", "link set dev a addrgenmode none",
		"link set dev b addrgenmode none", "address add 10.1.0.1/24 dev a", "link set dev a up", "link set dev b up",
		"neigh add 10.1.0.2 lladdr 02:00:00:00:00:02 dev a")
	// The kernel makes a device ready to send some time after its link is up, and
	// drops packets until then (net/core/link_watch.c).
	until(t, "the devices send", func() bool {
		return !slices.ContainsFunc(ipJSON[ipLink](t, "-s", "link"), func(l ipLink) bool { return l.State == "DOWN" || l.State == "LOWERLAYERDOWN" })
	})
	before := compare(3)

	const n, size = 100, 500
	for _, to := range []string{"127.0.0.1:9", "10.1.0.2:9"} {
		conn, err := net.Dial("udp", to)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		for range n {
			_, _ = conn.Write(make([]byte, size)) // refused by the port
		}
	}
	after := compare(3)
	diff := func(name, key string) int64 { return after[name][key].(int64) - before[name][key].(int64) }
	const bytes = n * (14 + 20 + 8 + size)
	if diff("a", "packets_sent") != n || diff("a", "bytes_sent") != bytes || diff("b", "packets_recv") != n || diff("b", "bytes_recv") != bytes {
		t.Errorf("a went from %v to %v, b from %v to %v, want %d packets and %d bytes from a to b", before["a"], after["a"], before["b"], after["b"], n, bytes)
	}
	if got := diff("lo", "packets_recv"); got < n || got != diff("lo", "packets_sent") {
		t.Errorf("lo went from %v to %v, want %d packets or more", before["lo"], after["lo"], n)
	}
	// The far end does not know what to do with the packets: some interface drops.
	ip(t, "4", "link set dev b down")
	conn, err := net.Dial("udp", "10.1.0.2:9")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, _ = conn.Write([]byte("x"))
	compare(3)
}

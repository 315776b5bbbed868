package counters

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/internal/testhost"
)

// TestConntrackLive has a rule of nftables that tracks what this host sends to
// itself: a datagram to each of so many ports is as many connections. The limit is
// the machine's, which a namespace may not change, so the table is not filled.
func TestConntrackLive(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	ip(t, "4", "link set dev lo up")
	tool(t, "nftables", "table inet test {\n chain out {\n  type filter hook output priority 0\n  ct state new counter accept\n }\n}\n", "nft", "-f", "-")
	text, err := os.ReadFile("/proc/sys/net/netfilter/nf_conntrack_max")
	if err != nil {
		testhost.SkipOrFail(t, "needs connection tracking in the kernel: "+err.Error())
	}

	conn, err := net.ListenUDP("udp4", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	port := 10000
	send := func(n int) {
		t.Helper()
		for range n {
			port++
			if _, err := conn.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port}); err != nil {
				t.Fatal(err)
			}
		}
	}
	check := func(entries int) {
		t.Helper()
		got := read(t, conntrack)[""]
		limit := got["max"].(int64)
		want := map[string]any{
			"entries": int64(entries), "max": limit, "used_percent": float64(entries) * 100 / float64(limit),
			"drop": int64(0), "early_drop": int64(0), "insert_failed": int64(0),
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || fmt.Sprint(limit) != strings.TrimSpace(string(text)) {
			t.Errorf("got %v, want %v; the limit is %s", got, want, text)
		}
	}
	check(0)
	send(40)
	check(40)
	send(2)
	check(42)
}

// TestConntrackLiveDrops has the kernel translate all datagrams to one address and
// port: it can track the first of them, and drops those that it cannot tell from
// that.
func TestConntrackLiveDrops(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	ip(t, "4", "link set dev lo up", "address add 10.9.0.1/32 dev lo")
	tool(t, "nftables", "table ip test {\n chain post {\n  type nat hook postrouting priority 100\n  meta l4proto udp snat to 10.9.0.1:5000\n }\n}\n", "nft", "-f", "-")
	before := read(t, conntrack)[""]
	const n = 6
	refused := int64(0)
	for range n {
		conn, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, err = conn.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 7000})
		if errors.Is(err, unix.EPERM) {
			refused++
		} else if err != nil {
			t.Fatal(err)
		}
	}
	after := read(t, conntrack)[""]
	checkGrowth(t, before, after, map[string]int64{"entries": n - refused, "drop": refused, "insert_failed": refused}, "used_percent")
	if refused != n-1 {
		t.Errorf("%d datagrams were refused, want %d", refused, n-1)
	}
}

package counters

import (
	"errors"
	"fmt"
	"net"
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/internal/testhost"
)

// TestConntrackLive has a rule of nftables that tracks what this host sends to
// itself: a datagram to each of so many ports is as many connections.
func TestConntrackLive(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	ip(t, "4", "link set dev lo up")
	tool(t, "nftables", "table inet test {\n chain out {\n  type filter hook output priority 0\n  ct state new counter accept\n }\n}\n", "nft", "-f", "-")
	const max = "/proc/sys/net/netfilter/nf_conntrack_max"
	if _, err := os.Stat(max); err != nil {
		testhost.SkipOrFail(t, "needs connection tracking in the kernel: "+err.Error())
	}

	conn, err := net.ListenUDP("udp4", nil)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	port := 10000
	// send sends to n ports and counts the datagrams that the kernel did not let
	// out.
	send := func(n int) (refused int) {
		t.Helper()
		for range n {
			port++
			_, err := conn.WriteTo([]byte("x"), &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: port})
			if errors.Is(err, unix.EPERM) {
				refused++
			} else if err != nil {
				t.Fatal(err)
			}
		}
		return refused
	}
	check := func(entries int) map[string]any {
		t.Helper()
		got := read(t, conntrack)[""]
		limit := got["max"].(int64)
		want := map[string]any{
			"entries": int64(entries), "max": limit, "used_percent": float64(entries) * 100 / float64(limit),
			"drop": got["drop"], "early_drop": got["early_drop"], "insert_failed": got["insert_failed"],
		}
		if fmt.Sprint(got) != fmt.Sprint(want) || limit == 0 {
			t.Errorf("got %v, want %v", got, want)
		}
		return got
	}
	check(0)
	if refused := send(40); refused > 0 {
		t.Fatalf("%d datagrams were refused", refused)
	}
	first := check(40)

	// A limit of this namespace's own, which a kernel may not have.
	if err := os.WriteFile(max, []byte("60"), 0); err != nil {
		t.Logf("not tested: a full table: %v", err)
		return
	}
	refused := send(40)
	last := read(t, conntrack)[""]
	dropped := last["drop"].(int64) - first["drop"].(int64)
	if refused == 0 || dropped != int64(refused) || last["max"] != int64(60) || last["used_percent"].(float64) < 100 {
		t.Errorf("after %d refused datagrams: %v, before: %v", refused, last, first)
	}
}

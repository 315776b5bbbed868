//go:build linux

package testhost

import (
	"net/netip"
	"testing"
)

// The kernel is the judge of what marshal makes; this covers what the kernel never sends.
func TestParseSegment(t *testing.T) {
	for _, addr := range []string{"10.77.0.1", "fd77::1"} {
		a := netip.MustParseAddr(addr)
		want := segment{netip.AddrPortFrom(a, 80), netip.AddrPortFrom(a.Next(), 20000), 1 << 31, 1<<32 - 1, syn | ack}
		b := want.marshal()
		if got, ok := parseSegment(b); !ok || got != want {
			t.Errorf("got %v, %v; want %v", got, ok, want)
		}
		for n := range b {
			if got, ok := parseSegment(b[:n]); ok {
				t.Errorf("%d of %d bytes: got %v", n, len(b), got)
			}
		}
		b[0] |= 15 // the longest IPv4 header, and nothing to IPv6
		if _, ok := parseSegment(b); ok != a.Is6() {
			t.Errorf("%v: header longer than the packet: %v", a, ok)
		}
	}
}

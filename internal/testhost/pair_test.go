//go:build linux

package testhost_test

import (
	"io"
	"net/netip"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/testhost"
)

// TestPair sends bytes from one namespace to the other, each of which shows its own end alone.
func TestPair(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	p := testhost.NewPair(t)
	l := p.ListenFar(netip.AddrPortFrom(testhost.FarAddr, 9000))
	near, far := p.DialNear(netip.AddrPortFrom(testhost.NearAddr, 40000), l)
	if _, err := near.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(far, got); err != nil || string(got) != "hello" {
		t.Errorf("received %q, %v", got, err)
	}
	if out := p.Near("ss", "-Htan"); strings.Count(out, "\n") != 1 || !strings.Contains(out, "10.78.0.1:40000") {
		t.Errorf("near, there are\n%s", out)
	}
	if out := p.Far("ss", "-Htan"); strings.Count(out, "\n") != 2 || !strings.Contains(out, "10.78.0.2:9000") {
		t.Errorf("far, there are\n%s", out)
	}
	back := p.ListenNear(netip.AddrPortFrom(testhost.NearAddr, 9001))
	if far, _ := p.DialFar(netip.AddrPortFrom(testhost.FarAddr, 0), back); !strings.HasPrefix(far.LocalAddr().String(), "10.78.0.2:") {
		t.Errorf("the far end is %v", far.LocalAddr())
	}
}

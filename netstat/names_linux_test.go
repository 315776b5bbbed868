package netstat_test

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/l4stat/l4stat/internal/testhost"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/emit"
	"github.com/l4stat/l4stat/netstat/socket"
)

// TestInterfaceNames has interfaces whose names a terminal would obey, or that line
// protocol cannot carry: each keeps its row, under a name that can be shown.
func TestInterfaceNames(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	names := map[string]string{ // as the kernel has them, and as they are shown
		"e\x1b[31mvil":     `e\x1b[31mvil`,
		"\u202etxt":        `\u202etxt`,
		"bad\xff\xfe":      `bad\xff\xfe`,
		`end\`:             `end\x5c`,
		"del\x7f":          `del\x7f`,
		"a,b=c":            "a,b=c",
		"c1\xc2\x9b31m":    `c1\u009b31m`,
		"\xe2\x80\xaa\xc3": `\u202a\xc3`,
	}
	ip := func(args ...string) {
		t.Helper()
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %q: %v\n%s", args, err, out)
		}
	}
	if _, err := exec.LookPath("ip"); err != nil {
		testhost.SkipOrFail(t, "needs ip (Debian: iproute2)")
	}
	want := []string{"lo"}
	for name, shown := range names {
		peer := fmt.Sprint("peer", len(want))
		ip("link", "add", "x", "type", "veth", "peer", "name", peer)
		ip("link", "set", "dev", "x", "name", name)
		ip("link", "set", "dev", peer, "up")
		want = append(want, shown, peer)
	}
	ip("address", "add", "10.1.0.1/24", "dev", "e\x1b[31mvil")
	ip("link", "set", "dev", "e\x1b[31mvil", "up")
	ip("route", "add", "default", "via", "10.1.0.254")

	c, err := netstat.New(netstat.Config{Include: []string{"interface", "route"}, Sockets: &fakeSource{sockets: []socket.Socket{}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	metrics, err := c.Gather(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, m := range metrics {
		if name := m.Tag("interface"); name != "" {
			got = append(got, name)
		}
		if v, ok := m.Field("default_interface"); ok && m.Tag("ip_version") == "4" && v.String() != `e\x1b[31mvil` {
			t.Errorf("default_interface is %q", v)
		}
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("the interfaces are\n%q, want\n%q", got, want)
	}

	enc, err := emit.NewEncoder(emit.Second, nil)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := enc.Append(nil, metrics)
	if err != nil {
		t.Errorf("rows are lost: %v", err)
	}
	for line := range strings.Lines(string(lines)) {
		if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }) {
			t.Errorf("a terminal might obey %q", line)
		}
	}
}

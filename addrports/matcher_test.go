package addrports_test

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"

	"github.com/l4stat/l4stat/addrports"
)

func TestMatcher(t *testing.T) {
	t.Parallel()
	group := func(remote bool, texts ...string) addrports.Group {
		return addrports.Group{Remote: remote, Entries: parseEntries(t, texts...)}
	}
	m := addrports.NewMatcher([]addrports.Group{
		group(false, "10.0.0.1:80", "80"), // 0, 1
		group(true, "5432", "80"),         // 2, 3
		group(false, "80", "*:443"),       // 4, 5
		group(true, "10.0.0.0/8:5432"),    // 6
	})
	tests := []struct {
		local, remote   string
		byLocal, byPeer int
	}{
		{"10.0.0.1:80", "10.0.0.9:5432", 0, 2},
		{"10.0.0.2:80", "10.0.0.9:40000", 1, -1},
		{"10.0.0.2:443", "10.0.0.9:80", 5, 3},
		{"10.0.0.2:5432", "10.0.0.9:443", -1, -1},
		{"0.0.0.0:80", "0.0.0.0:0", 1, -1},
	}
	for _, tt := range tests {
		l, r := m.Match(netip.MustParseAddrPort(tt.local), netip.MustParseAddrPort(tt.remote))
		if l != tt.byLocal || r != tt.byPeer {
			t.Errorf("%s with %s is of the entries %d and %d, want %d and %d", tt.local, tt.remote, l, r, tt.byLocal, tt.byPeer)
		}
	}
	if local, remote := m.Shadowed(); !slices.Equal(local, []int{4}) || !slices.Equal(remote, []int{6}) {
		t.Errorf("never matching are %v and %v, want 4 and 6", local, remote)
	}
}

func TestMatcherZero(t *testing.T) {
	t.Parallel()
	ap := netip.MustParseAddrPort("10.0.0.1:80")
	for _, m := range []*addrports.Matcher{{}, addrports.NewMatcher(nil)} {
		if l, r := m.Match(ap, ap); l != -1 || r != -1 {
			t.Errorf("without groups a socket is of the entries %d and %d", l, r)
		}
		if local, remote := m.Shadowed(); len(local)+len(remote) > 0 {
			t.Errorf("without groups %v and %v never match", local, remote)
		}
	}
}

func ExampleMatcher() {
	web, err := addrports.Parse("80")
	if err != nil {
		panic(err)
	}
	database, err := addrports.Parse("10.0.0.0/8:5432")
	if err != nil {
		panic(err)
	}
	m := addrports.NewMatcher([]addrports.Group{
		{Entries: []addrports.Entry{web}},
		{Remote: true, Entries: []addrports.Entry{database}},
	})
	fmt.Println(m.Match(netip.MustParseAddrPort("192.0.2.1:80"), netip.MustParseAddrPort("192.0.2.9:41000")))
	fmt.Println(m.Match(netip.MustParseAddrPort("192.0.2.1:42000"), netip.MustParseAddrPort("10.0.0.3:5432")))
	// Output:
	// 0 -1
	// -1 1
}

package addrports_test

import (
	"math/rand/v2"
	"net/netip"
	"slices"
	"testing"

	"github.com/l4stat/l4stat/addrports"
)

func TestShadowed(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		entries []string
		want    []int
	}{
		{"no entries", nil, nil},
		{"one", []string{"80"}, nil},
		{"different ports", []string{"80", "443", "8000-8010"}, nil},
		{"twice", []string{"80", "80"}, []int{1}},
		{"three times", []string{"80", "443", "80", "80"}, []int{2, 3}},
		{"twice, written differently", []string{"80", "0080", "80-80"}, []int{1, 2}},
		{"after every port", []string{"1-65535", "80"}, []int{1}},
		{"before every port", []string{"80", "1-65535"}, nil},
		{"range after its halves", []string{"8000-8005", "8006-8010", "8000-8010"}, []int{2}},
		{"range after all but one port", []string{"8000-8004", "8006-8010", "8000-8010"}, nil},
		{"last port", []string{"65535", "65534-65535", "65535"}, []int{2}},

		{"address after port", []string{"443", "10.0.0.1:443"}, []int{1}},
		{"port after address", []string{"10.0.0.1:443", "443"}, nil},
		{"address after network", []string{"10.0.0.0/8:443", "10.0.0.1:443", "11.0.0.1:443"}, []int{1}},
		{"network after address", []string{"10.0.0.1:443", "10.0.0.0/8:443"}, nil},
		{"network after its halves", []string{"10.0.0.0/9:443", "10.128.0.0/9:443", "10.0.0.0/8:443"}, []int{2}},
		{"network after uneven parts", []string{"10.0.0.0:443", "10.0.0.1:443", "10.0.0.2/31:443", "10.0.0.0/30:443"}, []int{3}},
		{"network after all but one address", []string{"10.0.0.0:443", "10.0.0.1:443", "10.0.0.3:443", "10.0.0.0/30:443"}, nil},
		{"halves on different ports", []string{"10.0.0.0/9:443", "10.128.0.0/9:444", "10.0.0.0/8:443-444"}, nil},
		{"address after network on a wider range", []string{"10.0.0.0/8:1-1024", "10.0.0.1:443"}, []int{1}},
		{"address on a range, after network on one port of it", []string{"10.0.0.0/8:443", "10.0.0.1:443-444"}, nil},
		{"port after all of IPv4", []string{"0.0.0.0/0:443", "443"}, nil},
		// A socket whose address is not known is left for it.
		{"port after all of IPv4 and IPv6", []string{"0.0.0.0/0:443", "[::/0]:443", "443"}, nil},
		{"network after its halves, and port", []string{"128.0.0.0/1:443", "0.0.0.0/1:443", "0.0.0.0/0:443", "443"}, []int{2}},
		{"IPv4 after IPv6", []string{"[::/0]:443", "0.0.0.0/0:443", "10.0.0.1:443"}, []int{2}},
		{"mapped", []string{"10.0.0.0/8:443", "[::ffff:10.0.0.1]:443"}, []int{1}},

		{"each address, after port", []string{"80", "*:80"}, []int{1}},
		{"port, after each address", []string{"*:80", "80", "10.0.0.1:80"}, []int{1, 2}},
		{"each address, after one", []string{"10.0.0.1:80", "*:80"}, nil},
		{"union of ranges and networks", []string{"10.0.0.0/31:80-81", "10.0.0.2/31:80", "10.0.0.2/31:81", "10.0.0.0/30:80-81"}, []int{3}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := addrports.Shadowed(parseEntries(t, tt.entries...)); !slices.Equal(got, tt.want) {
				t.Errorf("Shadowed(%q) = %v, want %v", tt.entries, got, tt.want)
			}
		})
	}
}

// Shadowed finds the entries that come first for no address and port. The
// universe is so small that each can be tried: between any two of its networks'
// and ranges' ends there is one that is looked up.
func TestShadowedRandom(t *testing.T) {
	t.Parallel()
	u := universe{
		ports: []int{1, 2, 3, 65535},
		networks: []string{
			"", "0.0.0.0/0", "0.0.0.0/1", "128.0.0.0/1", "::/0", "::/1", "8000::/1",
			"10.0.0.0/30", "10.0.0.0/31", "10.0.0.2/31", "10.0.0.0/32", "10.0.0.1/32", "10.0.0.2/32", "10.0.0.3/32",
			"2001:db8::/127", "2001:db8::/128", "2001:db8::1/128",
		},
		lookPort: []int{1, 2, 3, 4, 65535},
		lookAddr: []string{
			"9.9.9.9", "10.0.0.0", "10.0.0.1", "10.0.0.2", "10.0.0.3", "200.0.0.1",
			"2001:db7::", "2001:db8::", "2001:db8::1", "9000::",
		},
	}
	// firsts gives the entries that come first for some address and port.
	firsts := func(models []model) []bool {
		reached := make([]bool, len(models))
		for _, port := range u.lookPort {
			addrs := []netip.Addr{{}} // and one that is not known
			for _, addr := range u.lookAddr {
				addrs = append(addrs, netip.MustParseAddr(addr))
			}
			for _, addr := range addrs {
				if i := first(models, addr, port); i >= 0 {
					reached[i] = true
				}
			}
		}
		return reached
	}
	rng := rand.New(rand.NewPCG(5, 6))
	byOne, byUnion := 0, 0
	for range 5000 {
		models := u.models(rng, 1+rng.IntN(10))
		entries := texts(rng, models)
		var want []int
		for i, reached := range firsts(models) {
			if reached {
				continue
			}
			want = append(want, i)
			// Does one of the earlier entries do it alone?
			if slices.ContainsFunc(models[:i], func(m model) bool { return !firsts([]model{m, models[i]})[1] }) {
				byOne++
			} else {
				byUnion++
			}
		}
		if got := addrports.Shadowed(parseEntries(t, entries...)); !slices.Equal(got, want) {
			t.Fatalf("Shadowed(%q) = %v, want %v", entries, got, want)
		}
	}
	// Those that take several entries to cover are the hard ones.
	if byOne < 1000 || byUnion < 200 {
		t.Errorf("%d entries were covered by one other and %d by several together; want many of both", byOne, byUnion)
	}
}

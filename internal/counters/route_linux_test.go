package counters

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/internal/testhost"
)

// devices makes interfaces a and b with addresses of both versions.
func devices(t *testing.T) {
	t.Helper()
	ip(t, "4", "link set dev lo up",
		"link add dev a type veth peer name b", "link set dev a up", "link set dev b up",
		"address add 10.1.0.1/24 dev a", "address add 10.2.0.1/24 dev b")
	ip(t, "6", "address add fd01::1/64 dev a nodad", "address add fd02::1/64 dev b nodad")
	until(t, "the addresses have their routes", func() bool {
		n := 0
		for _, r := range ipJSON[struct{ Dst string }](t, "-6", "route") {
			if r.Dst == "fd01::/64" || r.Dst == "fd02::/64" || r.Dst == "fe80::/64" {
				n++
			}
		}
		return n == 4
	})
}

// checkRoutes compares a row with ip's table and with the default route that the
// test made.
func checkRoutes(t *testing.T, version, gateway, device string) {
	t.Helper()
	got := read(t, routes)[version]
	want := map[string]any{"default_gateway": gateway, "default_interface": device}
	if n := len(ipJSON[any](t, "-"+version, "route", "show", "table", "main")); n <= maxRoutes {
		want["routes"] = int64(n)
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("IPv%s has %v, want %v", version, got, want)
	}
}

// TestRouteLive compares with ip -j route: each step changes the default route,
// which the next read sees.
func TestRouteLive(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	checkRoutes(t, "4", "none", "none") // there is no table yet
	checkRoutes(t, "6", "none", "none")
	devices(t)
	tool(t, "iproute2", "nexthop add id 7 via 10.1.0.254 dev a\nnexthop add id 8 via 10.2.0.254 dev b\nnexthop add id 9 group 7/8\n", "ip", "-batch", "-")

	steps := []struct {
		name, version   string
		commands        []string
		gateway, device string
	}{
		{"no default", "4", nil, "none", "none"},
		{"a gateway", "4", []string{"route add default via 10.1.0.254"}, "10.1.0.254", "a"},
		{"another gateway", "4", []string{"route replace default via 10.2.0.254"}, "10.2.0.254", "b"},
		{"a lower metric wins", "4", []string{"route add default via 10.1.0.254 metric 200", "route add default via 10.1.0.253 metric 100", "route del default via 10.2.0.254"}, "10.1.0.253", "a"},
		{"one for some packets only does not", "4", []string{"route add default via 10.2.0.9 tos 0x10"}, "10.1.0.253", "a"},
		{"one for some packets only", "4", []string{"route del default via 10.1.0.253", "route del default via 10.1.0.254"}, "10.2.0.9", "b"},
		{"of another table", "4", []string{"route flush exact default tos 0x10", "route add default via 10.1.0.7 table 100"}, "none", "none"},
		{"several hops, in order", "4", []string{"route add default nexthop via 10.2.0.254 nexthop via 10.1.0.254"}, "10.1.0.254,10.2.0.254", "a,b"},
		{"several hops on one interface", "4", []string{"route replace default nexthop via 10.1.0.254 nexthop via 10.1.0.253"}, "10.1.0.253,10.1.0.254", "a"},
		{"without a gateway", "4", []string{"route replace default dev b"}, "none", "b"},
		{"several without a gateway", "4", []string{"route replace default nexthop dev b nexthop dev a"}, "none", "a,b"},
		{"a gateway of IPv6", "4", []string{"route replace default via inet6 fd01::254 dev a"}, "fd01::254", "a"},
		{"blackhole", "4", []string{"route replace blackhole default"}, "blackhole", "none"},
		{"unreachable", "4", []string{"route replace unreachable default"}, "unreachable", "none"},
		{"a next-hop object", "4", []string{"route replace default nhid 7"}, "10.1.0.254", "a"},
		{"a group of them", "4", []string{"route replace default nhid 9"}, "10.1.0.254,10.2.0.254", "a,b"},
		{"its interface goes", "4", []string{"route replace default via 10.2.0.254", "link set dev b down"}, "none", "none"},
		{"IPv6 has nothing of it", "6", []string{"link set dev b up", "address replace fd02::1/64 dev b nodad"}, "none", "none"},
		{"a gateway", "6", []string{"route add default via fd01::254"}, "fd01::254", "a"},
		{"another gateway", "6", []string{"route replace default via fd02::254"}, "fd02::254", "b"},
		{"link-local", "6", []string{"route replace default via fe80::1 dev a"}, "fe80::1", "a"},
		{"a lower metric wins", "6", []string{"route add default via fd01::9 metric 5"}, "fd01::9", "a"},
		{"one for some sources only does not", "6", []string{"route add default from fd01::/64 via fd02::9 metric 1"}, "fd01::9", "a"},
		{"one for some sources only", "6", []string{"route del default via fd01::9", "route del default via fe80::1"}, "fd02::9", "b"},
		{"several hops", "6", []string{"route add default nexthop via fd02::254 nexthop via fd01::254"}, "fd01::254,fd02::254", "a,b"},
		{"blackhole", "6", []string{"route flush exact default", "route add blackhole default"}, "blackhole", "none"},
		{"prohibit", "6", []string{"route flush exact default", "route add prohibit default"}, "prohibit", "none"},
		{"of another table", "6", []string{"route flush exact default", "route add default via fd01::7 table 100"}, "none", "none"},
	}
	for _, tt := range steps {
		t.Run(tt.version+" "+tt.name, func(t *testing.T) {
			if len(tt.commands) > 0 {
				ip(t, tt.version, tt.commands...)
			}
			checkRoutes(t, tt.version, tt.gateway, tt.device)
		})
	}

	// The routers of a network announce themselves with the same metric.
	t.Run("6 two routers", func(t *testing.T) {
		ip(t, "6", "route flush exact default", "route add default via fe80::2 dev a proto ra", "route append default via fe80::1 dev b proto ra")
		checkRoutes(t, "6", "fe80::1,fe80::2", "b,a")
	})
	// A kernel that does not spell them out, for who knows next-hop objects.
	t.Run("4 a next-hop object alone", func(t *testing.T) {
		if err := os.WriteFile("/proc/sys/net/ipv4/nexthop_compat_mode", []byte("0"), 0); err != nil {
			testhost.SkipOrFail(t, "cannot change nexthop_compat_mode: "+err.Error())
		}
		ip(t, "4", "nexthop add id 77 via 10.1.0.254 dev a", "route replace default nhid 77")
		checkRoutes(t, "4", "nhid 77", "nhid 77")
	})
	t.Run("no IPv6 on any interface", func(t *testing.T) {
		for _, name := range []string{"all", "default"} {
			if err := os.WriteFile("/proc/sys/net/ipv6/conf/"+name+"/disable_ipv6", []byte("1"), 0); err != nil {
				testhost.SkipOrFail(t, "cannot disable IPv6: "+err.Error())
			}
		}
		checkRoutes(t, "6", "none", "none")
	})
}

// TestRouteLiveIPv6Only has a host without an IPv4 address.
func TestRouteLiveIPv6Only(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	ip(t, "6", "link add dev a type veth peer name b", "link set dev a up", "link set dev b up", "address add fd01::1/64 dev a nodad", "route add default via fe80::1 dev a")
	until(t, "the address has its routes", func() bool { return len(ipJSON[any](t, "-6", "route")) >= 3 })
	checkRoutes(t, "4", "none", "none")
	checkRoutes(t, "6", "fe80::1", "a")
}

// TestRouteNoIPv6 has a kernel without IPv6.
func TestRouteNoIPv6(t *testing.T) {
	root := fakeProc(t)
	if err := os.Remove(root + "/1/net/if_inet6"); err != nil {
		t.Fatal(err)
	}
	rows, err := routes.Read(context.Background(), kernel.At(root))
	if err != nil || len(rows) != 1 || rows[0].Tags[0] != "4" {
		t.Errorf("%v and the error %v, want a row for IPv4", rows, err)
	}
}

// TestRouteLiveMany has more routes than are counted. Several times as many cost
// no more: the rest is not read.
func TestRouteLiveMany(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	devices(t)
	add := func(from, to int) {
		var v4, v6 []string
		for i := from; i < to; i++ {
			v4 = append(v4, fmt.Sprintf("route add 20.%d.%d.0/24 dev a", i>>8, i&255))
			v6 = append(v6, fmt.Sprintf("route add 2001:db8:%x::/48 dev a", i+1))
		}
		ip(t, "4", v4...)
		ip(t, "6", v6...)
	}
	add(0, 9_000)
	ip(t, "4", "route add default via 10.1.0.254")
	ip(t, "6", "route add default via fd02::254")
	checkRoutes(t, "4", "10.1.0.254", "a")
	checkRoutes(t, "6", "fd02::254", "b")
	add(9_000, maxRoutes+1)
	got := read(t, routes)
	for version := range got {
		if n, ok := got[version]["routes"]; ok {
			t.Errorf("IPv%s has %v routes, want them not counted", version, n)
		}
	}
	checkRoutes(t, "4", "10.1.0.254", "a")
	checkRoutes(t, "6", "fd02::254", "b")
	few := quickest(t)

	for _, step := range []struct {
		version, gateway, device string
		commands                 []string
	}{
		{"4", "10.2.0.254", "b", []string{"route replace default via 10.2.0.254"}},
		{"4", "none", "none", []string{"route del default"}},
		{"6", "fd01::254", "a", []string{"route replace default via fd01::254"}},
		// A route that the first of the probes takes, and not the next.
		{"6", "fd01::254", "a", []string{"route add 2000::/3 via fd02::9"}},
		{"6", "fd01::254", "a", []string{"route add default from fd01::/64 via fd02::9 metric 1"}},
		{"6", "fd02::9", "b", []string{"route del default via fd01::254"}},
		{"6", "none", "none", []string{"route flush exact default"}},
	} {
		ip(t, step.version, step.commands...)
		checkRoutes(t, step.version, step.gateway, step.device)
	}
	// Routes that all of them take, and one that leads nowhere: whether that is the
	// default route is not known.
	for _, commands := range [][2]string{
		{"route add 4000::/2 via fd02::9\nroute add 8000::/1 via fd02::9", "route del 4000::/2\nroute del 8000::/1"},
		{"route add blackhole default", "route del blackhole default"},
		{"route add unreachable default", "route del unreachable default"},
		{"route add prohibit default", "route del prohibit default"},
	} {
		ip(t, "6", commands[0])
		if got := read(t, routes)["6"]; len(got) != 0 {
			t.Errorf("IPv6 has %v after %s, want nothing", got, commands[0])
		}
		ip(t, "6", commands[1])
	}
	checkRoutes(t, "6", "none", "none")

	add(maxRoutes+1, 60_000)
	if many := quickest(t); many > 3*few+10*time.Millisecond {
		t.Errorf("60,000 routes take %v, %d take %v", many, maxRoutes+1, few)
	} else {
		t.Logf("60,000 routes take %v, %d take %v", many, maxRoutes+1, few)
	}
}

// quickest gives the time of the quickest of some reads.
func quickest(t *testing.T) time.Duration {
	best := time.Hour
	for range 5 {
		begin := time.Now()
		read(t, routes)
		best = min(best, time.Since(begin))
	}
	return best
}

// TestRouteContext has a context that ended.
func TestRouteContext(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if rows, err := routes.Read(ctx, kernel.At("/proc")); !errors.Is(err, context.Canceled) || len(rows) > 0 {
		t.Errorf("got %v and the error %v, want %v", rows, err, context.Canceled)
	}
}

// routeMessage makes an RTM_NEWROUTE without its header.
func routeMessage(tb testing.TB, rtm [rtmsgLen]byte, attrs ...netlink.Attribute) []byte {
	tb.Helper()
	b, err := netlink.MarshalAttributes(attrs)
	if err != nil {
		tb.Fatal(err)
	}
	return append(rtm[:], b...)
}

func number(n uint32) []byte { return binary.NativeEndian.AppendUint32(nil, n) }

// nexthop makes a struct rtnexthop with attributes.
func nexthop(tb testing.TB, index uint32, attrs ...netlink.Attribute) []byte {
	tb.Helper()
	b, err := netlink.MarshalAttributes(attrs)
	if err != nil {
		tb.Fatal(err)
	}
	head := binary.NativeEndian.AppendUint16(nil, uint16(rtnhLen+len(b)))
	return append(append(append(head, 0, 0), number(index)...), b...)
}

func TestParseRoute(t *testing.T) {
	v4, v6 := netip.MustParseAddr("10.1.0.254"), netip.MustParseAddr("fd01::1")
	main := [rtmsgLen]byte{0: unix.AF_INET, 4: unix.RT_TABLE_MAIN, 7: unix.RTN_UNICAST}
	tests := []struct {
		name string
		msg  []byte
		want string // a part of the route, or of the error
	}{
		{"a gateway", routeMessage(t, main, netlink.Attribute{Type: unix.RTA_GATEWAY, Data: v4.AsSlice()}, netlink.Attribute{Type: unix.RTA_OIF, Data: number(3)}),
			"hops:[10.1.0.254 3]"},
		{"a gateway of IPv6", routeMessage(t, main, netlink.Attribute{Type: unix.RTA_VIA, Data: append([]byte{unix.AF_INET6, 0}, v6.AsSlice()...)}), "hops:[fd01::1 0]"},
		{"a gateway of no family", routeMessage(t, main, netlink.Attribute{Type: unix.RTA_VIA, Data: []byte{1}}), "hops:"},
		{"hops", routeMessage(t, main, netlink.Attribute{Type: unix.RTA_MULTIPATH, Data: append(nexthop(t, 3, netlink.Attribute{Type: unix.RTA_GATEWAY, Data: v4.AsSlice()}), nexthop(t, 4)...)}),
			"hops:[10.1.0.254 3][invalid IP 4]"},
		{"another table", routeMessage(t, main, netlink.Attribute{Type: unix.RTA_TABLE, Data: number(1000)}), "table:1000"},
		{"a metric", routeMessage(t, main, netlink.Attribute{Type: unix.RTA_PRIORITY, Data: number(7)}), "priority:7"},
		{"a next-hop object", routeMessage(t, main, netlink.Attribute{Type: rtaNHID, Data: number(7)}), "nexthop:7"},
		{"what it does not know", routeMessage(t, main, netlink.Attribute{Type: 4000, Data: number(7)}), "table:254"},
		{"nothing", nil, "truncated route"},
		{"half a header", main[:rtmsgLen-1], "truncated route"},
		{"a short metric", routeMessage(t, main, netlink.Attribute{Type: unix.RTA_PRIORITY, Data: []byte{1}}), "attributes of a route"},
		{"a short attribute", append(main[:], 200, 0, 1, 0), "attributes of a route"},
		{"a hop that is too long", routeMessage(t, main, netlink.Attribute{Type: unix.RTA_MULTIPATH, Data: []byte{200, 200, 0, 0, 1, 0, 0, 0}}), "a hop of length"},
		{"a hop of no length", routeMessage(t, main, netlink.Attribute{Type: unix.RTA_MULTIPATH, Data: make([]byte, rtnhLen)}), "a hop of length 0"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r, err := parseRoute(tt.msg)
			got := fmt.Sprintf("table:%d priority:%d nexthop:%d hops:", r.table, r.priority, r.nexthop)
			for _, h := range r.hops {
				got += fmt.Sprintf("[%v %d]", h.gateway, h.index)
			}
			if err != nil {
				got = err.Error()
			}
			if !strings.Contains(got, tt.want) {
				t.Errorf("got %s, want %s", got, tt.want)
			}
		})
	}
}

func FuzzParseRoute(f *testing.F) {
	main := [rtmsgLen]byte{0: unix.AF_INET, 4: unix.RT_TABLE_MAIN, 7: unix.RTN_UNICAST}
	gateway := netlink.Attribute{Type: unix.RTA_GATEWAY, Data: []byte{10, 1, 0, 254}}
	f.Add(routeMessage(f, main, gateway, netlink.Attribute{Type: unix.RTA_OIF, Data: number(3)}))
	f.Add(routeMessage(f, main, netlink.Attribute{Type: unix.RTA_MULTIPATH, Data: append(nexthop(f, 3, gateway), nexthop(f, 4)...)}))
	f.Add(routeMessage(f, main, netlink.Attribute{Type: unix.RTA_VIA, Data: make([]byte, 18)}))
	f.Fuzz(func(t *testing.T, msg []byte) {
		if r, err := parseRoute(msg); err == nil {
			_ = preferred(r, r)
		}
		// As a datagram; it may have several.
		_, _ = decodeRoutes(msg, unix.AF_INET, func(route) bool { return true })
	})
}

package counters

import (
	"cmp"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/internal/printable"
	"github.com/l4stat/l4stat/netstat/metric"
)

// routes is the main routing table, a row for each IP version that the kernel
// has.
var routes = &Set{Name: "route", Tags: []string{"ip_version"}, Fields: []*metric.Desc{&routeCount, &defaultGateway, &defaultInterface}, read: readRoutes}

var (
	routeCount       = gauge("routes", "RTM_GETROUTE of RT_TABLE_MAIN, counted", "routes")
	defaultGateway   = metric.Desc{Key: "default_gateway", Source: "RTM_GETROUTE: RTA_GATEWAY of the default route", Kind: metric.Text}
	defaultInterface = metric.Desc{Key: "default_interface", Source: "RTM_GETROUTE: RTA_OIF of the default route", Kind: metric.Text}
)

// maxRoutes is how many routes are read at the most, which takes some 10 ms. A
// router may have a million; theirs are not counted.
const maxRoutes = 10_000

// noDefault stands for a gateway or an interface that is not there, so that the
// field does not go when the route does.
const noDefault = "none"

// route is a route as far as it matters here.
type route struct {
	family   uint8
	table    uint32
	prefix   int   // length of its destination; 0 is a default route
	special  bool  // for some sources or types of service only
	kind     uint8 // unix.RTN_UNICAST and so on
	cloned   bool  // a cache entry, not a route
	priority uint32
	nexthop  uint32 // id of its next-hop object, which a kernel may give instead of hops
	hops     []hop
}

type hop struct {
	gateway netip.Addr // not valid where there is none, as for PPP
	index   uint32     // of the interface
}

func readRoutes(ctx context.Context, host kernel.Host) ([]Row, error) {
	var rows []Row
	var errs []error
	for _, v := range []struct {
		tag    string
		family uint8
		probes []string
	}{
		{"4", unix.AF_INET, nil},
		// Of documentation, and of no use as yet (RFC 3849, RFC 3513).
		{"6", unix.AF_INET6, []string{"2001:db8::1", "4000::1", "8000::1"}},
	} {
		if v.family == unix.AF_INET6 {
			// A procfs that does not show the namespace does not tell.
			if _, err := os.Stat(selfPath(host, "net/if_inet6")); absent(err) && shows(host, "self/net") {
				continue
			}
		}
		fields, err := readTable(ctx, host, v.family, v.probes)
		if err != nil {
			errs = append(errs, fmt.Errorf("IPv%s: %w", v.tag, err))
			continue
		}
		rows = append(rows, Row{Tags: []string{v.tag}, Fields: fields})
	}
	return rows, errors.Join(errs...)
}

// readTable reads the main table of one IP version, and of a large one only the
// beginning.
//
// The kernel lists IPv4 in ascending order of destinations, so that the default
// routes are in the beginning; IPv6 as a tree from its leaves, so that they come
// last, but for those of some sources only, and probes have to find them.
func readTable(ctx context.Context, host kernel.Host, family uint8, probes []string) ([]metric.Field, error) {
	rtm := make([]byte, rtmsgLen)
	rtm[0], rtm[4] = family, unix.RT_TABLE_MAIN
	n := 0
	var best route
	for r, err := range askRoutes(ctx, host, unix.NLM_F_DUMP, rtm) {
		if err != nil {
			return nil, err
		}
		if r.table != unix.RT_TABLE_MAIN {
			continue
		}
		if r.prefix == 0 {
			best = preferred(best, r)
		}
		if n++; n > maxRoutes {
			break
		}
	}
	var fields []metric.Field
	if n <= maxRoutes {
		fields = append(fields, metric.Field{Desc: &routeCount, Value: metric.Int(int64(n))})
	} else if (best.family == 0 || best.special) && len(probes) > 0 {
		found, known, err := probeDefault(ctx, host, family, probes)
		if err != nil || !known {
			return fields, err
		}
		if found.family != 0 {
			best = found
		}
	}
	gateway, device, err := best.text()
	if err != nil {
		return nil, err
	}
	return append(fields,
		metric.Field{Desc: &defaultGateway, Value: metric.String(gateway)},
		metric.Field{Desc: &defaultInterface, Value: metric.String(device)}), nil
}

// preferred gives the default route that goes before the other; none is of
// family 0. Those that go together, as several routers of an IPv6 network do, it
// makes one.
func preferred(best, r route) route {
	if best.family == 0 {
		return r
	}
	rank := func(r route) int { // what all packets may take goes first
		if r.special {
			return 1
		}
		return 0
	}
	switch cmp.Or(cmp.Compare(rank(r), rank(best)), cmp.Compare(r.priority, best.priority)) {
	case -1:
		return r
	case 0:
		best.hops = append(best.hops, r.hops...)
	}
	return best
}

// probeDefault looks up addresses that are not assigned to any network; the route
// that the kernel picks for one of them, if it has prefix length 0, is the default
// route. known is false if every probe hit a more specific, blackhole or
// unreachable route: for the last two the kernel returns only a sender's error,
// and they may not be the default one.
func probeDefault(ctx context.Context, host kernel.Host, family uint8, probes []string) (r route, known bool, err error) {
	for _, probe := range probes {
		dst := netip.MustParseAddr(probe).AsSlice()
		rtm := make([]byte, rtmsgLen)
		rtm[0], rtm[1] = family, byte(8*len(dst))
		// The route that matches, and not what it makes for this address.
		binary.NativeEndian.PutUint32(rtm[8:], unix.RTM_F_FIB_MATCH)
		for r, err := range askRoutes(ctx, host, 0, rtm, netlink.Attribute{Type: unix.RTA_DST, Data: dst}) {
			switch {
			case errors.Is(err, unix.ENETUNREACH):
				return route{}, true, nil
			case errors.Is(err, unix.EINVAL), errors.Is(err, unix.EHOSTUNREACH), errors.Is(err, unix.EACCES):
				// A blackhole, unreachable, prohibited.
			case err != nil:
				return route{}, false, fmt.Errorf("look up the default route: %w", err)
			case r.prefix == 0 && r.table == unix.RT_TABLE_MAIN:
				return r, true, nil
			}
		}
	}
	return route{}, false, nil
}

// unreachable are the kinds of route that lead nowhere, as ip names them.
var unreachable = map[uint8]string{
	unix.RTN_BLACKHOLE: "blackhole", unix.RTN_UNREACHABLE: "unreachable", unix.RTN_PROHIBIT: "prohibit", unix.RTN_THROW: "throw",
}

// text gives the gateway and the interface. Of several hops it gives lists in
// ascending order of the gateways and then the interfaces, the interface of each
// in the same place; where all have the same, that alone.
func (r *route) text() (gateway, device string, err error) {
	switch {
	case unreachable[r.kind] != "":
		return unreachable[r.kind], noDefault, nil
	case len(r.hops) == 0 && r.nexthop != 0:
		nexthop := fmt.Sprint("nhid ", r.nexthop)
		return nexthop, nexthop, nil
	case len(r.hops) == 0:
		return noDefault, noDefault, nil
	}
	names := map[uint32]string{}
	for _, h := range r.hops {
		if names[h.index], err = interfaceName(h.index); err != nil {
			return "", "", err
		}
	}
	hops := slices.SortedFunc(slices.Values(r.hops), func(a, b hop) int {
		return cmp.Or(a.gateway.Compare(b.gateway), strings.Compare(names[a.index], names[b.index]))
	})
	var gateways, devices []string
	for _, h := range slices.Compact(hops) {
		gateway := noDefault
		if h.gateway.IsValid() {
			gateway = h.gateway.String()
		}
		gateways, devices = append(gateways, gateway), append(devices, names[h.index])
	}
	return list(gateways), list(devices), nil
}

// list joins words, and gives one that all are by itself.
func list(words []string) string {
	if one := slices.Compact(slices.Clone(words)); len(one) == 1 {
		return one[0]
	}
	return strings.Join(words, ",")
}

// interfaceName asks for one name. net.InterfaceByIndex lists all interfaces
// to find it.
func interfaceName(index uint32) (name string, err error) {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", fmt.Errorf("find the name of interface %d: %w", index, err)
	}
	defer unix.Close(fd)
	ifr, err := unix.NewIfreq("")
	if err != nil {
		return "", fmt.Errorf("find the name of interface %d: %w", index, err)
	}
	ifr.SetUint32(index)
	switch err := unix.IoctlIfreq(fd, unix.SIOCGIFNAME, ifr); err {
	case nil:
		return printable.Text(ifr.Name()), nil
	case unix.ENODEV:
		return noDefault, nil // it has just gone, and its routes with it
	default:
		return "", fmt.Errorf("find the name of interface %d: %w", index, err)
	}
}

package counters

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// routes is the main routing table, a row for each IP version.
var routes = &Set{Name: "route", Tags: []string{"ip_version"}, Fields: routeFields[:], read: readRoutes}

var routeFields = [...]Field{
	{"routes", "RTM_GETROUTE: RT_TABLE_MAIN", "routes", false},
	{"default_gateway", "RTM_GETROUTE: RTA_GATEWAY of the default route", "", false},
	{"default_interface", "RTM_GETROUTE: RTA_OIF of the default route", "", false},
}

// maxRoutes is how many routes are read at the most, which takes some 10 ms. A
// router may have a million; theirs are not counted.
const maxRoutes = 10_000

// noDefault stands for a gateway or an interface that is not there, so that the
// field does not go when the route does.
const noDefault = "none"

// route is a route as far as it matters here.
type route struct {
	prefix   int // of its destination; 0 is the default route
	priority uint32
	hops     []hop
}

type hop struct {
	gateway netip.Addr // not valid where there is none
	index   int        // of the interface
}

func readRoutes(ctx context.Context, _ string) ([]Row, error) {
	var rows []Row
	var errs []error
	for _, v := range []struct {
		tag    string
		family uint8
	}{{"4", unix.AF_INET}, {"6", unix.AF_INET6}} {
		values, err := readTable(ctx, v.family)
		if err != nil {
			errs = append(errs, fmt.Errorf("read the routes of IPv%s: %w", v.tag, err))
			continue
		}
		rows = append(rows, Row{Tags: []string{v.tag}, Values: values})
	}
	return rows, errors.Join(errs...)
}

// readTable reads the main table of one IP version.
func readTable(ctx context.Context, family uint8) (values []Value, err error) {
	conn, err := dialRoute(ctx)
	if err != nil {
		return nil, err
	}
	// What was not read of a dump goes with the connection.
	defer func() { err = errors.Join(err, conn.Close()) }()

	n := 0
	var best *route
	for r, err := range dumpRoutes(conn, family) {
		if err != nil {
			return nil, err
		}
		if r.prefix == 0 && (best == nil || r.priority < best.priority) {
			best = &r
		}
		if n++; n > maxRoutes {
			break
		}
	}
	if n <= maxRoutes {
		values = append(values, Value{&routeFields[0], int64(n)})
	} else if best == nil {
		// The default route is the first of IPv4's, but may be the last of IPv6's.
		if best, err = lookUpDefault(ctx, family); err != nil {
			return nil, err
		}
	}
	gateway, device := best.text()
	return append(values, Value{&routeFields[1], gateway}, Value{&routeFields[2], device}), nil
}

// text gives the gateway and the interface, those of a route with several hops
// separated by commas.
func (r *route) text() (gateway, device string) {
	if r == nil || len(r.hops) == 0 {
		return noDefault, noDefault
	}
	var gateways, devices []string
	for _, h := range r.hops {
		if h.gateway.IsValid() {
			gateways = append(gateways, h.gateway.String())
		} else {
			gateways = append(gateways, noDefault) // reached without one, as by PPP
		}
		name := fmt.Sprint("index ", h.index)
		if dev, err := net.InterfaceByIndex(h.index); err == nil {
			name = dev.Name // else it has just gone
		}
		devices = append(devices, name)
	}
	return strings.Join(slices.Compact(gateways), ","), strings.Join(slices.Compact(devices), ",")
}

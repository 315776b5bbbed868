package connstat

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/l4stat/l4stat/internal/nearest"
	"github.com/l4stat/l4stat/netstat/socket"
)

// Filter says which connections to report. The zero Filter is all of them.
type Filter struct {
	// Local and Remote keep connections whose addresses are in the network.
	Local, Remote netip.Prefix
	// LocalPorts and RemotePorts keep connections of those ports.
	LocalPorts, RemotePorts socket.PortRange
	// States keeps connections in those states; empty is all.
	States socket.StateSet
	// Bound asks for sockets that are bound and nothing else, which have
	// StateClose, and which no report has unasked.
	Bound bool
	// PID and Process keep the connections that the process holds, or those of
	// that name. 0 and "" are all.
	PID     int
	Process string
	// Cgroup keeps the sockets made in a cgroup v2 or below it: a path as in
	// /proc/PID/cgroup, or a number, which stands for the one cgroup with that ID.
	Cgroup string
	// IPVersion is 4 or 6; 0 is both. A connection over IPv4 of an IPv6 socket is
	// IPv4.
	IPVersion int
	// NoLoopback drops connections with a loopback address at either end.
	NoLoopback bool
}

// FilterFields are the fields that a filter can have.
var FilterFields = []string{"laddr", "lport", "raddr", "rport", "state", "cgroup", "process", "pid"}

// ParseFilter reads field=value[,field=value]...
func ParseFilter(text string) (Filter, error) {
	var f Filter
	seen := map[string]bool{}
	for element := range strings.SplitSeq(text, ",") {
		name, value, ok := strings.Cut(element, "=")
		if !ok || value == "" {
			return f, fmt.Errorf("%q: give field=value[,field=value]..., such as lport=22,state=established", element)
		}
		name = strings.ToLower(name)
		if !slices.Contains(FilterFields, name) {
			return f, fmt.Errorf("%q: no field %q to filter by; %s", element, name, nearest.Remedy(name, FilterFields...))
		}
		if seen[name] {
			return f, fmt.Errorf("%q: the field %q is there twice; name each once", element, name)
		}
		seen[name] = true
		if err := f.set(name, value); err != nil {
			return f, fmt.Errorf("%q: %w", element, err)
		}
	}
	return f, nil
}

func (f *Filter) set(name, value string) (err error) {
	switch name {
	case "laddr":
		f.Local, err = parseNetwork(value)
	case "raddr":
		f.Remote, err = parseNetwork(value)
	case "lport":
		f.LocalPorts, err = parsePorts(value)
	case "rport":
		f.RemotePorts, err = parsePorts(value)
	case "state":
		state, isBound, ok := parseState(value)
		if !ok {
			return fmt.Errorf("no state %q; %s", value, nearest.Remedy(value, StateNames()...))
		}
		f.States, f.Bound = socket.States(state), isBound
	case "pid":
		f.PID, err = strconv.Atoi(value)
		if err != nil || f.PID < 1 {
			return fmt.Errorf("no process ID %q; give a number from 1, or process=%s", value, value)
		}
	case "process":
		f.Process = value
	case "cgroup":
		f.Cgroup = value
		if n, err := strconv.ParseUint(value, 10, 64); err == nil && n == 0 {
			return errors.New("no cgroup has the number 0; give a path such as /system.slice, or another number")
		}
	}
	return err
}

// parseNetwork reads an address or a network in CIDR notation. An IPv4-mapped
// address is IPv4.
func parseNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		if addr.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("the kernel lists addresses without a zone; leave it out of %q", text)
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return network, fmt.Errorf("no address or network %q; give one such as 10.0.0.1, 10.0.0.0/8 or 2001:db8::/32", text)
	}
	const mapped = 96 // bits of ::ffff:0:0
	if a := network.Addr(); a.Is4In6() && network.Bits() >= mapped {
		network = netip.PrefixFrom(a.Unmap(), network.Bits()-mapped)
	}
	return network.Masked(), nil
}

// parsePorts reads a port, or two with a hyphen between them.
func parsePorts(text string) (socket.PortRange, error) {
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	from, err := parsePort(first)
	to, err2 := parsePort(last)
	if err := errors.Join(err, err2); err != nil {
		return socket.PortRange{}, fmt.Errorf("no port %q; give 1 to 65535, or a range such as 8000-8010", text)
	}
	if from > to {
		return socket.PortRange{}, fmt.Errorf("the range %q ends before it begins; give %d-%d", text, to, from)
	}
	return socket.PortRange{First: from, Last: to}, nil
}

func parsePort(text string) (uint16, error) {
	n, err := strconv.ParseUint(text, 10, 16)
	if err == nil && n == 0 {
		err = strconv.ErrRange
	}
	return uint16(n), err
}

// Check gives an error for a filter that no connection can pass since its
// addresses are of different IP versions.
func (f *Filter) Check() error {
	for _, side := range []struct {
		name string
		netip.Prefix
	}{{"laddr", f.Local}, {"raddr", f.Remote}} {
		if !side.IsValid() || f.IPVersion == 0 {
			continue
		}
		if v := version(side.Addr()); v != f.IPVersion {
			return fmt.Errorf("-%d beside %s=%s, which is IPv%d: no connection is both", f.IPVersion, side.name, side.Prefix, v)
		}
	}
	if f.Local.IsValid() && f.Remote.IsValid() && version(f.Local.Addr()) != version(f.Remote.Addr()) {
		return fmt.Errorf("laddr=%s is IPv%d and raddr=%s is IPv%d: no connection is both",
			f.Local, version(f.Local.Addr()), f.Remote, version(f.Remote.Addr()))
	}
	return nil
}

func version(a netip.Addr) int {
	if a.Is4() {
		return 4
	}
	return 6
}

// query is what the kernel can filter by.
func (f *Filter) query() socket.Query {
	q := socket.Query{
		// Both tables have connections over IPv4.
		Tables: []socket.Table{socket.TCP4, socket.TCP6},
		States: f.States, Bound: f.Bound,
		LocalPorts: f.LocalPorts, RemotePorts: f.RemotePorts,
	}
	if f.IPVersion == 6 || f.onlyIPv6(f.Local) || f.onlyIPv6(f.Remote) {
		q.Tables = q.Tables[1:]
	}
	if f.Cgroup != "" {
		q.Details |= socket.WithDetails
	}
	return q
}

func (f *Filter) onlyIPv6(p netip.Prefix) bool { return p.IsValid() && p.Addr().Is6() }

// match applies the parts of the filter that the kernel did not: addresses and
// loopback.
func (f *Filter) match(s *socket.Socket) bool {
	// No network has an address with a zone.
	local, remote := s.Local.Addr().WithZone(""), s.Remote.Addr().WithZone("")
	switch {
	case f.IPVersion == 4 && !local.Is4(), f.IPVersion == 6 && !local.Is6():
		return false
	case f.Local.IsValid() && !f.Local.Contains(local), f.Remote.IsValid() && !f.Remote.Contains(remote):
		return false
	case f.NoLoopback && (local.IsLoopback() || remote.IsLoopback()):
		return false
	}
	return true
}

// lookups are what has to be found out to filter.
func (f *Filter) lookups() (l lookup) {
	if f.PID != 0 || f.Process != "" {
		l |= lookupOwner
	}
	if f.Cgroup != "" {
		l |= lookupCgroup
	}
	return l
}

// addrWidth is the width of the columns of addresses: enough for any of them
// where they are known to be IPv4 or IPv6, else for what fits a terminal.
func (f *Filter) addrWidth() int {
	const v4, any, v6 = len("255.255.255.255"), 22, 39
	switch {
	case f.IPVersion == 4, f.Local.IsValid() && f.Local.Addr().Is4(), f.Remote.IsValid() && f.Remote.Addr().Is4():
		return v4
	case f.IPVersion == 6, f.onlyIPv6(f.Local), f.onlyIPv6(f.Remote):
		return v6
	default:
		return any
	}
}

// Established is the State of a Filter for established connections.
var Established = socket.States(socket.StateEstablished)

package addrports

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Entry is one element of a `ports` or `ports_match` list: a range of ports on
// any address, on the addresses of one prefix, or on each address separately.
type Entry struct {
	text       string
	first      uint16
	last       uint16
	prefix     netip.Prefix // the zero Prefix: any address
	perAddress bool
}

// String gives the entry as it was written: the row's addr_port tag.
func (e Entry) String() string { return e.text }

// PerAddress reports whether each address that has sockets makes a row of its
// own, as the entries of `ports_match` ask for.
func (e Entry) PerAddress() bool { return e.perAddress }

// Prefix gives the addresses that the entry names; ok is false for an entry
// that stands for any address.
func (e Entry) Prefix() (p netip.Prefix, ok bool) { return e.prefix, e.prefix.IsValid() }

// Ports gives the first and the last port that the entry names, both included.
func (e Entry) Ports() (first, last uint16) { return e.first, e.last }

// Parse reads an element of `ports`: "80", "8000-8010", "1.1.1.1:80",
// "10.0.0.0/8:443", "[2001:db8::1]:80", "[2001:db8::/32]:443". The brackets may
// be left out, as in DataKit's "::1:80": what follows the last colon is the port.
//
// The error says what is wrong with s and what would be right, without
// repeating s.
func Parse(s string) (Entry, error) {
	e, err := parse(s)
	if err != nil {
		if addr, addrErr := netip.ParseAddr(unbracket(s)); addrErr == nil && addr.Zone() == "" {
			return Entry{}, fmt.Errorf("the port is missing; write %q, or another port", netip.AddrPortFrom(addr, 80))
		}
	}
	return e, err
}

func parse(s string) (Entry, error) {
	host, ports := "", s
	i := strings.LastIndexByte(s, ':')
	if i >= 0 {
		host, ports = s[:i], s[i+1:]
	}
	first, last, err := parsePorts(ports)
	switch {
	case err != nil:
		return Entry{}, err
	case i == 0:
		return Entry{}, fmt.Errorf("there is no address before the colon; write %q for any address", ports)
	case host == "*":
		return Entry{}, fmt.Errorf("a row for each address is asked for in ports_match = [%q]; in ports, write %q for any address", s, ports)
	}
	prefix, err := parseHost(host)
	if err != nil {
		return Entry{}, err
	}
	return Entry{text: s, first: first, last: last, prefix: prefix}, nil
}

// ParseMatch reads an element of `ports_match`: "*:80" or "*:8000-8010". The
// error is of the same kind as [Parse]'s.
func ParseMatch(s string) (Entry, error) {
	ports, ok := strings.CutPrefix(s, "*:")
	if !ok {
		ports = s[strings.LastIndexByte(s, ':')+1:]
		if _, _, err := parsePorts(ports); err != nil {
			ports = "80"
		}
		return Entry{}, fmt.Errorf(`ports_match takes only "*:port"; write %q for a row for each address, or move the entry to ports`, "*:"+ports)
	}
	first, last, err := parsePorts(ports)
	if err != nil {
		return Entry{}, err
	}
	return Entry{text: s, first: first, last: last, perAddress: true}, nil
}

// parsePorts reads "80" or "8000-8010".
func parsePorts(s string) (first, last uint16, err error) {
	a, b, isRange := strings.Cut(s, "-")
	if first, err = parsePort(a); err != nil {
		return 0, 0, err
	}
	if !isRange {
		return first, first, nil
	}
	if last, err = parsePort(b); err != nil {
		return 0, 0, err
	}
	if last < first {
		return 0, 0, fmt.Errorf(`the range runs backwards; write "%d-%d"`, last, first)
	}
	return first, last, nil
}

func parsePort(s string) (uint16, error) {
	n, err := strconv.ParseUint(s, 10, 16)
	switch {
	case err == nil && n > 0:
		return uint16(n), nil
	case err == nil, errors.Is(err, strconv.ErrRange):
		return 0, fmt.Errorf("port %.60s does not exist; give a port from 1 to 65535", s)
	case s == "":
		return 0, errors.New("the port is missing; give a port from 1 to 65535")
	case strings.Contains(s, ","):
		return 0, fmt.Errorf("%.60q is more than one; give each in quotes of its own", s)
	default:
		return 0, fmt.Errorf("%.60q is not a port number; give a port from 1 to 65535", s)
	}
}

// parseHost reads what stands before an entry's port: nothing, an address or a
// prefix, in brackets or not.
func parseHost(s string) (netip.Prefix, error) {
	if s == "" {
		return netip.Prefix{}, nil
	}
	bare := unbracket(s)
	if strings.Contains(bare, "%") {
		return netip.Prefix{}, fmt.Errorf("%.60q has a zone, which the kernel's socket tables do not give; leave out what follows the %%", bare)
	}
	if strings.Contains(bare, "/") {
		p, err := netip.ParsePrefix(bare)
		if err != nil {
			return netip.Prefix{}, fmt.Errorf(`%.60q is not a network; write an entry such as "10.0.0.0/8:443" or "[2001:db8::/32]:443"`, bare)
		}
		return unmap(p).Masked(), nil
	}
	addr, err := netip.ParseAddr(bare)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf(`%.60q is not an IP address; write one such as "10.0.0.1" or "[2001:db8::1]", or the port alone for any address`, bare)
	}
	addr = addr.Unmap()
	return netip.PrefixFrom(addr, addr.BitLen()), nil
}

// unbracket takes off the brackets around s, if they are.
func unbracket(s string) string {
	if strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") {
		return s[1 : len(s)-1]
	}
	return s
}

// unmap turns a prefix within ::ffff:0:0/96 into the IPv4 prefix that it is.
func unmap(p netip.Prefix) netip.Prefix {
	const mapped = 96
	if p.Addr().Is4In6() && p.Bits() >= mapped {
		return netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-mapped)
	}
	return p
}

package counters

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"syscall"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/internal/kernel"
)

// rtmsgLen is the length of struct rtmsg (include/uapi/linux/rtnetlink.h):
//
//	0 rtm_family   1 rtm_dst_len   2 rtm_src_len   3 rtm_tos
//	4 rtm_table    5 rtm_protocol  6 rtm_scope     7 rtm_type
//	8 rtm_flags
const rtmsgLen = 12

// rtnhLen is the length of struct rtnexthop: rtnh_len, rtnh_flags, rtnh_hops,
// rtnh_ifindex.
const rtnhLen = 8

// rtaNHID is RTA_NH_ID, which package unix does not have.
const rtaNHID = 30

// askRoutes sends an RTM_GETROUTE and gives the routes that answer it, in the
// kernel's order. A table that is not there has no routes. The kernel makes its
// answer as it is read: who stops early saves it the rest. That is why this does
// not use netlink.Conn, which reads a dump to its end in any case.
func askRoutes(ctx context.Context, host kernel.Host, flags uint16, rtm []byte, attrs ...netlink.Attribute) iter.Seq2[route, error] {
	return func(yield func(route, error) bool) {
		if err := eachRoute(ctx, host, flags, rtm, attrs, func(r route) bool { return yield(r, nil) }); err != nil {
			yield(route{}, err)
		}
	}
}

func eachRoute(ctx context.Context, host kernel.Host, flags uint16, rtm []byte, attrs []netlink.Attribute, yield func(route) bool) (err error) {
	conn, err := host.Dial(ctx, unix.NETLINK_ROUTE)
	if err != nil {
		return fmt.Errorf("open NETLINK_ROUTE: %w", err)
	}
	// What was not read of a dump goes with the connection.
	defer func() { err = errors.Join(err, conn.Close()) }()
	// Since Linux 4.20 the kernel itself leaves out other tables. An older one
	// refuses the option, and sends all.
	_ = conn.SetsockoptInt(unix.SOL_NETLINK, unix.NETLINK_GET_STRICT_CHK, 1)

	request, err := appendRouteRequest(nil, flags, rtm, attrs)
	if err != nil {
		return fmt.Errorf("request routes: %w", err)
	}
	if _, err := conn.WriteContext(ctx, request); err != nil {
		return fmt.Errorf("request routes: %w", err)
	}
	buf := make([]byte, kernel.DatagramLimit)
	for more := true; more; {
		n, err := conn.ReadContext(ctx, buf)
		if err == nil {
			more, err = decodeRoutes(buf[:n], rtm[0], yield)
		}
		if errors.Is(err, unix.ENOENT) {
			return nil // a namespace has no table before it has a route in it
		}
		if err != nil {
			return fmt.Errorf("read routes: %w", err)
		}
	}
	return nil
}

// appendRouteRequest appends an RTM_GETROUTE.
func appendRouteRequest(b []byte, flags uint16, rtm []byte, attrs []netlink.Attribute) ([]byte, error) {
	tail, err := netlink.MarshalAttributes(attrs)
	if err != nil {
		return nil, err
	}
	b = binary.NativeEndian.AppendUint32(b, uint32(unix.SizeofNlMsghdr+len(rtm)+len(tail)))
	b = binary.NativeEndian.AppendUint16(b, unix.RTM_GETROUTE)
	b = binary.NativeEndian.AppendUint16(b, unix.NLM_F_REQUEST|flags)
	b = binary.NativeEndian.AppendUint64(b, 0) // the sequence number, and the port that the kernel fills in
	return append(append(b, rtm...), tail...), nil
}

// decodeRoutes reads one datagram of the answer. more is whether another one
// follows that is wanted.
func decodeRoutes(datagram []byte, family uint8, yield func(route) bool) (more bool, err error) {
	messages, err := syscall.ParseNetlinkMessage(datagram)
	if err != nil {
		return false, err
	}
	for _, m := range messages {
		switch m.Header.Type {
		case unix.NLMSG_ERROR, unix.NLMSG_DONE:
			return false, kernel.AnswerError(m.Data)
		case unix.RTM_NEWROUTE:
			r, err := parseRoute(m.Data)
			if err != nil {
				return false, err
			}
			// A kernel without IPv6 answers with the routes of IPv4.
			if r.family == family && !r.cloned && !yield(r) {
				return false, nil
			}
		}
		more = m.Header.Flags&unix.NLM_F_MULTI != 0
	}
	return more, nil
}

// parseRoute reads an RTM_NEWROUTE.
func parseRoute(msg []byte) (r route, err error) {
	if len(msg) < rtmsgLen {
		return r, errors.New("truncated route")
	}
	r = route{
		family: msg[0], prefix: int(msg[1]), special: msg[2] != 0 || msg[3] != 0, table: uint32(msg[4]), kind: msg[7],
		cloned: binary.NativeEndian.Uint32(msg[8:])&unix.RTM_F_CLONED != 0,
	}
	attrs, err := netlink.NewAttributeDecoder(msg[rtmsgLen:])
	if err != nil {
		return r, fmt.Errorf("attributes of a route: %w", err)
	}
	var one hop
	for attrs.Next() {
		switch attrs.Type() {
		case unix.RTA_TABLE:
			r.table = attrs.Uint32()
		case unix.RTA_PRIORITY:
			r.priority = attrs.Uint32()
		case rtaNHID:
			r.nexthop = attrs.Uint32()
		case unix.RTA_OIF:
			one.index = attrs.Uint32()
		case unix.RTA_GATEWAY, unix.RTA_VIA:
			one.gateway = parseGateway(attrs)
		case unix.RTA_MULTIPATH:
			if r.hops, err = parseHops(attrs.Bytes()); err != nil {
				return r, fmt.Errorf("hops of a route: %w", err)
			}
		}
	}
	if err := attrs.Err(); err != nil {
		return r, fmt.Errorf("attributes of a route: %w", err)
	}
	if len(r.hops) == 0 && one != (hop{}) {
		r.hops = []hop{one}
	}
	return r, nil
}

// parseGateway reads RTA_GATEWAY, an address of the route's family, or RTA_VIA,
// struct rtvia: a family and an address of it. It is not valid if it is neither.
func parseGateway(attr *netlink.AttributeDecoder) netip.Addr {
	b := attr.Bytes()
	if attr.Type() == unix.RTA_VIA {
		b = b[min(2, len(b)):]
	}
	addr, _ := netip.AddrFromSlice(b)
	return addr
}

// parseHops reads RTA_MULTIPATH: a struct rtnexthop for each hop, with attributes.
func parseHops(b []byte) (hops []hop, err error) {
	for len(b) >= rtnhLen {
		length := int(binary.NativeEndian.Uint16(b))
		if length < rtnhLen || length > len(b) {
			return nil, fmt.Errorf("a hop of length %d in %d bytes", length, len(b))
		}
		h := hop{index: binary.NativeEndian.Uint32(b[4:])}
		attrs, err := netlink.NewAttributeDecoder(b[rtnhLen:length])
		if err != nil {
			return nil, err
		}
		for attrs.Next() {
			switch attrs.Type() {
			case unix.RTA_GATEWAY, unix.RTA_VIA:
				h.gateway = parseGateway(attrs)
			}
		}
		if err := attrs.Err(); err != nil {
			return nil, err
		}
		hops = append(hops, h)
		b = b[min((length+3)&^3, len(b)):]
	}
	return hops, nil
}

package counters

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"net/netip"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
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

func dialRoute(ctx context.Context) (*netlink.Conn, error) {
	conn, err := netlink.Dial(unix.NETLINK_ROUTE, nil)
	if err != nil {
		return nil, fmt.Errorf("open NETLINK_ROUTE: %w", err)
	}
	// Since Linux 4.20 the kernel itself leaves out other tables. An older one
	// refuses, and sends all.
	_ = conn.SetOption(netlink.GetStrictCheck, true)
	if deadline, ok := ctx.Deadline(); ok {
		err = conn.SetDeadline(deadline)
	} else {
		err = conn.SetDeadline(time.Now().Add(10 * time.Second)) // the kernel answers at once
	}
	if err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	return conn, nil
}

// dumpRoutes gives the routes of the main table of one family, in the kernel's
// order.
func dumpRoutes(conn *netlink.Conn, family uint8) iter.Seq2[route, error] {
	return func(yield func(route, error) bool) {
		rtm := make([]byte, rtmsgLen)
		rtm[0], rtm[4] = family, unix.RT_TABLE_MAIN
		_, err := conn.Send(netlink.Message{
			Header: netlink.Header{Type: unix.RTM_GETROUTE, Flags: netlink.Request | netlink.Dump},
			Data:   rtm,
		})
		if err != nil {
			yield(route{}, fmt.Errorf("request a dump: %w", err))
			return
		}
		for msg, err := range conn.ReceiveIter() {
			if err != nil {
				yield(route{}, fmt.Errorf("read the dump: %w", err))
				return
			}
			r, main, err := parseRoute(msg.Data)
			if err == nil && !main {
				continue
			}
			if !yield(r, err) || err != nil {
				return
			}
		}
	}
}

// lookUpDefault asks for the route to an address that no network has, those of
// documentation (RFC 5737, RFC 3849): if there is a default route, that is it.
func lookUpDefault(ctx context.Context, family uint8) (r *route, err error) {
	dst := netip.MustParseAddr("192.0.2.1").AsSlice()
	if family == unix.AF_INET6 {
		dst = netip.MustParseAddr("2001:db8::1").AsSlice()
	}
	conn, err := dialRoute(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	rtm := make([]byte, rtmsgLen)
	rtm[0], rtm[1] = family, byte(8*len(dst))
	binary.NativeEndian.PutUint32(rtm[8:], unix.RTM_F_FIB_MATCH)
	attrs, err := netlink.MarshalAttributes([]netlink.Attribute{{Type: unix.RTA_DST, Data: dst}})
	if err != nil {
		return nil, err
	}
	answer, err := conn.Execute(netlink.Message{
		Header: netlink.Header{Type: unix.RTM_GETROUTE, Flags: netlink.Request},
		Data:   append(rtm, attrs...),
	})
	switch {
	case errors.Is(err, unix.ENETUNREACH), errors.Is(err, unix.EHOSTUNREACH):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("look up the default route: %w", err)
	case len(answer) == 0:
		return nil, nil
	}
	found, _, err := parseRoute(answer[0].Data)
	if err != nil || found.prefix != 0 {
		return nil, err
	}
	return &found, nil
}

// parseRoute reads an RTM_NEWROUTE. main is whether it is of the main table.
func parseRoute(msg []byte) (r route, main bool, err error) {
	if len(msg) < rtmsgLen {
		return r, false, errors.New("truncated route message")
	}
	r.prefix = int(msg[1])
	table := uint32(msg[4])
	attrs, err := netlink.NewAttributeDecoder(msg[rtmsgLen:])
	if err != nil {
		return r, false, fmt.Errorf("route message: %w", err)
	}
	var one hop
	for attrs.Next() {
		switch attrs.Type() {
		case unix.RTA_TABLE:
			table = attrs.Uint32()
		case unix.RTA_PRIORITY:
			r.priority = attrs.Uint32()
		case unix.RTA_GATEWAY:
			one.gateway, _ = netip.AddrFromSlice(attrs.Bytes())
		case unix.RTA_VIA:
			one.gateway = viaAddr(attrs.Bytes())
		case unix.RTA_OIF:
			one.index = int(attrs.Uint32())
		case unix.RTA_MULTIPATH:
			r.hops, err = parseHops(attrs.Bytes())
		}
	}
	if err := errors.Join(err, attrs.Err()); err != nil {
		return r, false, fmt.Errorf("route message: %w", err)
	}
	if one.index != 0 {
		r.hops = append(r.hops, one)
	}
	return r, table == unix.RT_TABLE_MAIN, nil
}

// viaAddr reads struct rtvia, a gateway of another family than the route's.
func viaAddr(b []byte) netip.Addr {
	if len(b) < 2 {
		return netip.Addr{}
	}
	addr, _ := netip.AddrFromSlice(b[2:])
	return addr
}

// parseHops reads RTA_MULTIPATH: a struct rtnexthop for each hop, with attributes.
func parseHops(b []byte) (hops []hop, err error) {
	for len(b) >= rtnhLen {
		length := int(binary.NativeEndian.Uint16(b))
		if length < rtnhLen || length > len(b) {
			return nil, errors.New("truncated hop")
		}
		h := hop{index: int(binary.NativeEndian.Uint32(b[4:]))}
		attrs, err := netlink.NewAttributeDecoder(b[rtnhLen:length])
		if err != nil {
			return nil, err
		}
		for attrs.Next() {
			switch attrs.Type() {
			case unix.RTA_GATEWAY:
				h.gateway, _ = netip.AddrFromSlice(attrs.Bytes())
			case unix.RTA_VIA:
				h.gateway = viaAddr(attrs.Bytes())
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

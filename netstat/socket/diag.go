package socket

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strconv"

	"github.com/l4stat/l4stat/internal/kernel"
)

// The part of include/uapi/linux/{netlink,sock_diag,inet_diag}.h that a dump
// of sockets needs. Its numbers are the same on every architecture; integers
// are in the host's byte order but for ports and addresses.
const (
	nlmsghdrLen = 16 // struct nlmsghdr
	sockidLen   = 48 // struct inet_diag_sockid
	diagMsgLen  = 72 // struct inet_diag_msg

	nlmsgError = 2 // NLMSG_ERROR
	nlmsgDone  = 3 // NLMSG_DONE

	tcpdiagGetsock   = 18 // TCPDIAG_GETSOCK
	sockDiagByFamily = 20 // SOCK_DIAG_BY_FAMILY

	nlmFRequest = 0x1   // NLM_F_REQUEST
	nlmFDump    = 0x300 // NLM_F_DUMP

	afInet  = 2  // AF_INET
	afInet6 = 10 // AF_INET6

	// Bits 1 to 12: every state that a table shows. Bit 13, TCP_BOUND_INACTIVE
	// since Linux 6.8, adds sockets that are bound and nothing else.
	allStates     = 1<<13 - 2
	boundInactive = 1 << 13
)

// padding is idiag_ext of the first request for a table and of those that read it
// again: nothing, INET_DIAG_MEMINFO of 20 bytes, INET_DIAG_SKMEMINFO of 40, both.
var padding = [...]byte{0, 1 << (diagMemInfo - 1), 1 << (diagSkMemInfo - 1), 1<<(diagMemInfo-1) | 1<<(diagSkMemInfo-1)}

var errTruncated = errors.New("truncated sock_diag message")

// appendDiagRequest appends the request for a dump of what q wants of one table,
// or of both tables of TCP. Unless q asks for details, it asks for no extensions,
// so that the kernel writes little more than inet_diag_msg for a socket.
//
// A positive nth asks, for a table of UDP, for what nobody reads: it makes the
// messages longer, and the datagrams end elsewhere in the table.
func appendDiagRequest(b []byte, seq uint32, tables []Table, q Query, nth int) []byte {
	start, protocol := len(b), tables[0].Protocol()
	mask := uint32(allStates)
	if q.States != 0 && protocol == TCP {
		mask = uint32(q.States) & allStates
		if q.States.Has(StateSynRecv) {
			mask |= 1 << 12 // TCP_NEW_SYN_RECV: where the kernel keeps most of them
		}
	}
	var ext byte
	if protocol == TCP {
		ext = q.Details.extensions()
		if q.Bound {
			mask |= boundInactive
		}
	} else {
		ext = padding[nth%len(padding)]
	}
	kind := uint16(sockDiagByFamily)
	if len(tables) > 1 {
		// The interface from before Linux 3.3, which the kernel keeps, and its
		// only request that is not for one IP version (net/ipv4/inet_diag.c,
		// inet_diag_dump_compat).
		kind = tcpdiagGetsock
	}
	b = binary.NativeEndian.AppendUint32(b, 0) // nlmsg_len: see below
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, nlmFRequest|nlmFDump)
	b = binary.NativeEndian.AppendUint32(b, seq)
	b = binary.NativeEndian.AppendUint32(b, 0) // nlmsg_pid: the kernel knows

	var anySocket [sockidLen]byte
	if kind == tcpdiagGetsock { // struct inet_diag_req
		b = append(b, 0, 0, 0, ext) // idiag_family, which does not matter, to idiag_ext
		b = append(b, anySocket[:]...)
		b = binary.NativeEndian.AppendUint32(b, mask)
		b = binary.NativeEndian.AppendUint32(b, 0) // idiag_dbs
	} else { // struct inet_diag_req_v2
		family := byte(afInet)
		if tables[0].IPv6() {
			family = afInet6
		}
		b = append(b, family, byte(protocol), ext, 0)
		b = binary.NativeEndian.AppendUint32(b, mask)
		b = append(b, anySocket[:]...)
	}
	b = appendPortFilter(b, q.LocalPorts, q.RemotePorts)
	binary.NativeEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}

// decodeDiag reads one datagram of the answer to the request numbered seq and
// calls fn for each socket in it, with s reused, and with its idiag_cookie, which
// the kernel writes unasked. done is true at the end of the dump. Where s has
// Details, they are decoded into what those point to. An error that the kernel
// reports is a syscall.Errno, one of fn a stop.
func decodeDiag(b []byte, seq uint32, p Protocol, s *Socket, fn func(s *Socket, cookie uint64) error) (done bool, err error) {
	for len(b) >= nlmsghdrLen {
		length := binary.NativeEndian.Uint32(b)
		if length < nlmsghdrLen || uint64(length) > uint64(len(b)) {
			return false, errTruncated
		}
		msg := b[nlmsghdrLen:length]
		kind := binary.NativeEndian.Uint16(b[4:])
		ours := binary.NativeEndian.Uint32(b[8:]) == seq
		b = b[min(int(length+3)&^3, len(b)):] // NLMSG_ALIGN

		switch {
		case !ours: // left over from a dump that was given up
		case kind == sockDiagByFamily, kind == tcpdiagGetsock:
			if len(msg) < diagMsgLen {
				return false, errTruncated
			}
			if err := decodeDiagMsg(msg, s); err != nil {
				return false, err
			}
			if s.Details != nil {
				if err := decodeDetails(msg, s.Details); err != nil {
					return false, err
				}
			}
			s.Protocol = p
			if err := fn(s, cookieOf(msg)); err != nil {
				return false, stopped(err)
			}
		case kind == nlmsgDone, kind == nlmsgError:
			return true, kernel.AnswerError(msg)
		}
	}
	if len(b) > 0 {
		return false, errTruncated
	}
	return false, nil
}

// withZones gives link-local addresses their interface, idiag_if, which tells them
// from the same address of another one. The zone is its index: names change, may
// hold any byte, and are those of another network namespace than ours perhaps.
func withZones(src, dst netip.Addr, index uint32) (netip.Addr, netip.Addr) {
	if index == 0 {
		return src, dst
	}
	zone := strconv.FormatUint(uint64(index), 10)
	for _, a := range []*netip.Addr{&src, &dst} {
		if a.IsLinkLocalUnicast() {
			*a = a.WithZone(zone)
		}
	}
	return src, dst
}

// cookieOf reads idiag_cookie of a struct inet_diag_msg: the lower half first, in
// whichever byte order.
func cookieOf(msg []byte) uint64 {
	return uint64(binary.NativeEndian.Uint32(msg[44:])) | uint64(binary.NativeEndian.Uint32(msg[48:]))<<32
}

// decodeDiagMsg reads a struct inet_diag_msg, at least diagMsgLen bytes:
//
//	 0 idiag_family   1 idiag_state  2 idiag_timer  3 idiag_retrans
//	 4 idiag_sport    6 idiag_dport  8 idiag_src   24 idiag_dst
//	40 idiag_if      44 idiag_cookie
//	52 idiag_expires 56 idiag_rqueue 60 idiag_wqueue
//	64 idiag_uid     68 idiag_inode
func decodeDiagMsg(m []byte, s *Socket) error {
	m = m[:diagMsgLen:diagMsgLen]
	var src, dst netip.Addr
	switch m[0] {
	case afInet:
		src = netip.AddrFrom4([4]byte(m[8:12]))
		dst = netip.AddrFrom4([4]byte(m[24:28]))
	case afInet6:
		src = netip.AddrFrom16([16]byte(m[8:24])).Unmap()
		dst = netip.AddrFrom16([16]byte(m[24:40])).Unmap()
		if src.IsLinkLocalUnicast() || dst.IsLinkLocalUnicast() {
			src, dst = withZones(src, dst, binary.NativeEndian.Uint32(m[40:]))
		}
	default:
		return fmt.Errorf("sock_diag message with unknown idiag_family %d", m[0])
	}
	s.State = kernelState(m[1])
	s.Local = netip.AddrPortFrom(src, binary.BigEndian.Uint16(m[4:]))
	s.Remote = netip.AddrPortFrom(dst, binary.BigEndian.Uint16(m[6:]))
	s.RecvQueue = binary.NativeEndian.Uint32(m[56:])
	s.SendQueue = binary.NativeEndian.Uint32(m[60:])
	s.UID = binary.NativeEndian.Uint32(m[64:])
	s.Inode = uint64(binary.NativeEndian.Uint32(m[68:]))
	s.PID = 0
	return nil
}

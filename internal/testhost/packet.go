//go:build linux

package testhost

import (
	"encoding/binary"
	"net/netip"
)

// Flags of a TCP header.
const (
	fin = 1 << 0
	syn = 1 << 1
	rst = 1 << 2
	ack = 1 << 4
)

const (
	ipv4Len  = 20
	ipv6Len  = 40
	tcpLen   = 20
	protoTCP = 6
)

// segment is a TCP segment without data or options, and where it goes.
type segment struct {
	src, dst netip.AddrPort
	seq, ack uint32
	flags    uint8
}

// marshal returns the segment as an IP packet.
func (s segment) marshal() []byte {
	addrs := append(s.src.Addr().AsSlice(), s.dst.Addr().AsSlice()...)
	be := binary.BigEndian

	var b []byte
	if s.src.Addr().Is4() {
		b = append(b, 4<<4|ipv4Len/4, 0)
		b = be.AppendUint16(b, ipv4Len+tcpLen)
		b = append(b, 0, 0, 0, 0, 64, protoTCP, 0, 0) // no identification, no fragment, 64 hops, checksum to come
		b = append(b, addrs...)
		be.PutUint16(b[10:], checksum(b))
	} else {
		b = append(b, 6<<4, 0, 0, 0)
		b = be.AppendUint16(b, tcpLen)
		b = append(b, protoTCP, 64)
		b = append(b, addrs...)
	}

	tcp := make([]byte, 0, tcpLen)
	tcp = be.AppendUint16(tcp, s.src.Port())
	tcp = be.AppendUint16(tcp, s.dst.Port())
	tcp = be.AppendUint32(tcp, s.seq)
	tcp = be.AppendUint32(tcp, s.ack)
	tcp = append(tcp, tcpLen/4<<4, s.flags)
	tcp = be.AppendUint16(tcp, 1<<15-1) // window
	tcp = append(tcp, 0, 0, 0, 0)       // checksum to come, nothing urgent
	// As words to add up, the pseudo-headers of IPv4 and IPv6 are the same.
	be.PutUint16(tcp[16:], checksum(addrs, []byte{0, protoTCP, 0, tcpLen}, tcp))
	return append(b, tcp...)
}

// checksum is the Internet checksum of parts that are each of even length.
func checksum(parts ...[]byte) uint16 {
	var sum uint32
	for _, p := range parts {
		for ; len(p) > 0; p = p[2:] {
			sum += uint32(binary.BigEndian.Uint16(p))
		}
	}
	for sum > 0xffff {
		sum = sum>>16 + sum&0xffff
	}
	return ^uint16(sum)
}

// parseSegment reads an IP packet, and reports false for one that is not TCP.
func parseSegment(b []byte) (segment, bool) {
	var src, dst []byte
	switch {
	case len(b) >= ipv4Len && b[0]>>4 == 4 && b[9] == protoTCP:
		src, dst, b = b[12:16], b[16:20], b[min(int(b[0]&15)*4, len(b)):]
	case len(b) >= ipv6Len && b[0]>>4 == 6 && b[6] == protoTCP:
		src, dst, b = b[8:24], b[24:40], b[ipv6Len:]
	}
	if src == nil || len(b) < tcpLen {
		return segment{}, false
	}
	be := binary.BigEndian
	return segment{
		src:   addrPort(src, be.Uint16(b)),
		dst:   addrPort(dst, be.Uint16(b[2:])),
		seq:   be.Uint32(b[4:]),
		ack:   be.Uint32(b[8:]),
		flags: b[13],
	}, true
}

func addrPort(addr []byte, port uint16) netip.AddrPort {
	a, _ := netip.AddrFromSlice(addr)
	return netip.AddrPortFrom(a, port)
}

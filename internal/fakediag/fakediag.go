// Package fakediag stands in for the kernel's NETLINK_SOCK_DIAG in tests and
// benchmarks: it answers requests with dumps of sockets that the test made up.
// A dump is the whole table, whatever states and ports the request is for.
package fakediag

import (
	"encoding/binary"
	"errors"
	"maps"
	"net/netip"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"
)

// Socket is what a message of a dump tells.
type Socket struct {
	Protocol      uint8 // IPPROTO_TCP or IPPROTO_UDP
	State         uint8
	Local, Remote netip.AddrPort // both of one family, AF_INET6 for IPv4-mapped ones
	RecvQueue     uint32
	SendQueue     uint32
	UID           uint32
	Inode         uint32
	CgroupID      uint64
	// Extensions are attributes that stand in the message though nobody asks,
	// by their numbers in linux/inet_diag.h.
	Extensions map[uint16][]byte
}

// The layouts are those of linux/netlink.h and linux/inet_diag.h.
const (
	nlmsghdrLen = 16
	reqLen      = 60 // struct inet_diag_req
	reqV2Len    = 56
	datagram    = 32 << 10 // what the kernel puts into one at the most

	typeError    = 2
	typeDone     = 3
	typeGetsock  = 18
	typeSockDiag = 20

	afInet, afInet6 = 2, 10

	timeWait, newSynRecv = 6, 12
)

func (s *Socket) family() uint8 {
	if s.Local.Addr().Is4() {
		return afInet
	}
	return afInet6
}

// AppendMessage appends the message of one socket, with the attributes that
// the kernel adds unasked.
func AppendMessage(b []byte, seq uint32, s *Socket) []byte {
	start := len(b)
	b = appendHeader(b, typeSockDiag, seq)
	b = append(b, s.family(), s.State, 0, 0)
	b = binary.BigEndian.AppendUint16(b, s.Local.Port())
	b = binary.BigEndian.AppendUint16(b, s.Remote.Port())
	for _, addr := range []netip.Addr{s.Local.Addr(), s.Remote.Addr()} {
		var raw [16]byte
		copy(raw[:], addr.AsSlice())
		b = append(b, raw[:]...)
	}
	b = binary.NativeEndian.AppendUint32(b, 0) // idiag_if
	cookie := uint64(s.Inode) << 1
	b = binary.NativeEndian.AppendUint32(b, uint32(cookie))     // idiag_cookie, the lower half first
	b = binary.NativeEndian.AppendUint32(b, uint32(cookie>>32)) // in whichever byte order
	for _, n := range []uint32{0, s.RecvQueue, s.SendQueue, s.UID, s.Inode} {
		b = binary.NativeEndian.AppendUint32(b, n)
	}
	if s.State != timeWait && s.State != newSynRecv { // which are mini-sockets
		b = appendAttr(b, 8, []byte{0})                                          // INET_DIAG_SHUTDOWN
		b = appendAttr(b, 21, binary.NativeEndian.AppendUint64(nil, s.CgroupID)) // INET_DIAG_CGROUP_ID
		b = appendAttr(b, 22, []byte{0, 0, 0, 0})                                // INET_DIAG_SOCKOPT
	}
	for _, kind := range slices.Sorted(maps.Keys(s.Extensions)) {
		b = appendAttr(b, kind, s.Extensions[kind])
	}
	return endMessage(b, start)
}

// AppendDone appends the message that ends a dump; errno is 0 for one that is
// complete.
func AppendDone(b []byte, seq uint32, errno syscall.Errno) []byte {
	return appendStatus(b, typeDone, seq, errno)
}

func appendStatus(b []byte, kind uint16, seq uint32, errno syscall.Errno) []byte {
	start := len(b)
	b = appendHeader(b, kind, seq)
	b = binary.NativeEndian.AppendUint32(b, uint32(-int32(errno)))
	return endMessage(b, start)
}

func appendHeader(b []byte, kind uint16, seq uint32) []byte {
	b = binary.NativeEndian.AppendUint32(b, 0) // nlmsg_len: see endMessage
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = binary.NativeEndian.AppendUint16(b, 2) // NLM_F_MULTI
	b = binary.NativeEndian.AppendUint32(b, seq)
	return binary.NativeEndian.AppendUint32(b, 0)
}

func endMessage(b []byte, start int) []byte {
	binary.NativeEndian.PutUint32(b[start:], uint32(len(b)-start))
	return b
}

func appendAttr(b []byte, kind uint16, value []byte) []byte {
	b = binary.NativeEndian.AppendUint16(b, uint16(4+len(value)))
	b = binary.NativeEndian.AppendUint16(b, kind)
	b = append(b, value...)
	return append(b, make([]byte, -len(value)&3)...)
}

// table is what a request asks for.
type table struct{ family, protocol uint8 }

// Kernel has sockets to dump. Any number of connections may read them at once.
type Kernel struct {
	datagrams map[table][][]byte
	errno     map[table]syscall.Errno
	noFilter  bool
	stall     bool
}

// New makes a Kernel with these sockets.
func New(sockets []Socket) *Kernel {
	k := &Kernel{datagrams: map[table][][]byte{}, errno: map[table]syscall.Errno{}}
	for i := range sockets {
		s := &sockets[i]
		t := table{s.family(), s.Protocol}
		msg := AppendMessage(nil, 0, s)
		d := k.datagrams[t]
		if len(d) == 0 || len(d[len(d)-1])+len(msg) > datagram {
			d = append(d, make([]byte, 0, datagram))
		}
		d[len(d)-1] = append(d[len(d)-1], msg...)
		k.datagrams[t] = d
	}
	return k
}

// Refuse makes the dump of a table fail from the start, and one of several tables
// that it is among.
func (k *Kernel) Refuse(ipv6 bool, protocol uint8, errno syscall.Errno) {
	k.errno[tableOf(ipv6, protocol)] = errno
}

// RefuseFilter makes every dump fail with EINVAL whose request has attributes,
// INET_DIAG_REQ_BYTECODE being the one there is.
func (k *Kernel) RefuseFilter() { k.noFilter = true }

// Break makes the dump of a table end with an error after its sockets.
func (k *Kernel) Break(ipv6 bool, protocol uint8, errno syscall.Errno) {
	t := tableOf(ipv6, protocol)
	k.datagrams[t] = append(k.datagrams[t], AppendDone(nil, 0, errno))
}

// Stall makes every dump wait for ever instead of ending.
func (k *Kernel) Stall() { k.stall = true }

func tableOf(ipv6 bool, protocol uint8) table {
	if ipv6 {
		return table{afInet6, protocol}
	}
	return table{afInet, protocol}
}

// Dial opens a connection.
func (k *Kernel) Dial() *Conn { return &Conn{kernel: k, wake: make(chan struct{})} }

// Conn is a connection as package socket has it.
type Conn struct {
	kernel  *Kernel
	pending [][]byte
	seq     uint32
	ended   bool

	once sync.Once
	wake chan struct{} // closed by a deadline in the past
}

// Write takes a request.
func (c *Conn) Write(b []byte) (int, error) {
	if len(b) < nlmsghdrLen+2 {
		return 0, errors.New("fakediag: short request")
	}
	c.seq, c.ended = binary.NativeEndian.Uint32(b[8:]), false
	tables, length := []table{{b[nlmsghdrLen], b[nlmsghdrLen+1]}}, reqV2Len
	if binary.NativeEndian.Uint16(b[4:]) == typeGetsock {
		tables, length = []table{{afInet, 6}, {afInet6, 6}}, reqLen
	}
	c.pending = nil
	var errno syscall.Errno
	for _, t := range tables {
		c.pending = append(c.pending, c.kernel.datagrams[t]...)
		errno = max(errno, c.kernel.errno[t])
	}
	if c.kernel.noFilter && len(b) > nlmsghdrLen+length {
		errno = syscall.EINVAL
	}
	if errno != 0 {
		c.pending = [][]byte{appendStatus(nil, typeError, c.seq, errno)}
	}
	return len(b), nil
}

// Read gives the next datagram of the answer.
func (c *Conn) Read(b []byte) (int, error) {
	switch {
	case len(c.pending) > 0:
		n := copy(b, c.pending[0])
		c.pending = c.pending[1:]
		// The messages were made before the request was known.
		for rest := b[:n]; len(rest) >= nlmsghdrLen; rest = rest[binary.NativeEndian.Uint32(rest):] {
			binary.NativeEndian.PutUint32(rest[8:], c.seq)
		}
		return n, nil
	case c.ended || c.kernel.stall:
		<-c.wake // as a netlink socket, which has nothing more to say
		return 0, os.ErrDeadlineExceeded
	default:
		c.ended = true
		return len(AppendDone(b[:0], c.seq, 0)), nil
	}
}

// SetReadDeadline wakes a Read when t has passed; it does not wait for later
// times.
func (c *Conn) SetReadDeadline(t time.Time) error {
	if !t.IsZero() && t.Before(time.Now()) {
		c.once.Do(func() { close(c.wake) })
	}
	return nil
}

// Close ends the connection.
func (c *Conn) Close() error { return nil }

// Connections makes n established IPv4 connections to local ports first to
// last in turn, from peers that differ.
func Connections(n int, first, last uint16) []Socket {
	local := netip.AddrFrom4([4]byte{10, 0, 0, 1})
	sockets := make([]Socket, n)
	for i := range sockets {
		peer := netip.AddrFrom4([4]byte{10, byte(1 + i>>16), byte(i >> 8), byte(i)})
		sockets[i] = Socket{
			Protocol: 6, State: 1, Inode: uint32(1000 + i), UID: 1000,
			Local:  netip.AddrPortFrom(local, first+uint16(i%int(last-first+1))),
			Remote: netip.AddrPortFrom(peer, uint16(32768+i%20000)),
		}
	}
	return slices.Clip(sockets)
}

package socket

import (
	"math"
	"slices"
)

// A dump of TCP lets go of a chain after every 16 sockets of it that are asked
// for, in the middle of a datagram (net/ipv4/tcp_diag.c, tcp_diag_dump, SKARR_SZ),
// and which chain a connection is in only the kernel knows. So where chains are
// long a seam may be anywhere. In a table of the usual size they are not: its
// buckets outnumber the sockets, and a seam has one or two sockets beside it in
// its chain.
//
// Long chains are read again in parts: by ranges of both ports, each with so few
// sockets that they fit in a datagram, and hardly ever 16 of them in one chain.
const (
	longChain = 2 // sockets for each bucket
	// shortChain is more sockets than come to a chain of a table of the usual size
	// between two datagrams.
	shortChain = 256
	partSize   = 200 // sockets
	maxParts   = 64
	// smallTable is up to how many sockets it costs nothing to speak of to look
	// for each of them among those before.
	smallTable = 1 << 14
)

// ports are both ports of a socket, the local one in the upper half.
type ports uint32

func portsOf(s *Socket) ports { return ports(s.Local.Port())<<16 | ports(s.Remote.Port()) }

func (p ports) swap() ports { return p<<16 | p>>16 }

// eachTCP calls fn once for each socket of TCP. complete is false where some may
// be missing from a table with long chains.
func (n *netlink) eachTCP(l *listings, tables []Table, q Query, fn func(*Socket) error) (complete bool, err error) {
	long := math.MaxInt
	if n.buckets != nil {
		long = longChain * max(1, n.buckets())
	}
	// Where chains are long a repeat may be anywhere, from the first socket on.
	// Else only the last sockets matter, and no memory is kept for the others.
	l.now.plain, l.now.back, l.now.last = 0, shortChain, 0
	usual := !n.long && long > smallTable
	if usual {
		l.now.last = shortChain
	}
	l.begin(q)
	n.ports = n.ports[:0]
	once := func(s *Socket, cookie uint64) error {
		if l.now.enter(cookie) {
			return nil
		}
		if !usual {
			n.ports = append(n.ports, portsOf(s))
		}
		return fn(s)
	}
	if _, err := n.filtered(dump{tables, q, 0, l.now.begin, once}); err != nil {
		return false, err
	}
	// A table whose chains have become long is read with all care from the next
	// listing on.
	n.long = l.now.n >= long
	if !n.long || usual {
		return true, nil
	}
	if slices.Equal(l.now.ids, l.before.ids) {
		return true, nil
	}
	complete, err = n.eachPart(l, tables, q, once)
	if complete {
		l.finish()
	}
	return complete, err
}

// eachPart calls fn for each socket of TCP, in parts.
func (n *netlink) eachPart(l *listings, tables []Table, q Query, fn func(*Socket, uint64) error) (complete bool, err error) {
	complete = true
	all := part{allOf(q.LocalPorts), allOf(q.RemotePorts)}
	parts := []part{all}
	if !n.noFilter {
		parts = all.split(nil, slices.Clone(n.ports), maxParts)
	}
	for _, p := range parts {
		q.LocalPorts, q.RemotePorts = p.local, p.remote
		datagrams := 0
		if _, err := n.filtered(dump{tables, q, 0, func() { datagrams++ }, fn}); err != nil {
			return false, err
		}
		complete = complete && datagrams <= 1
	}
	return complete, nil
}

// part is the sockets with these ports.
type part struct{ local, remote PortRange }

// allOf spells out the range of all ports.
func allOf(r PortRange) PortRange {
	if r.all() {
		return PortRange{0, math.MaxUint16}
	}
	return r
}

// split appends to parts those that p is cut into, at most n, so that each has at
// most partSize of the sockets, if their ports allow for it. It sorts sockets.
func (p part) split(parts []part, sockets []ports, n int) []part {
	if len(sockets) <= partSize || n < 2 {
		return append(parts, p)
	}
	slices.Sort(sockets)
	i := middle(sockets)
	low, high := p, p
	if off := max(i, len(sockets)-i); off > len(sockets)*3/4 {
		for j, s := range sockets {
			sockets[j] = s.swap()
		}
		slices.Sort(sockets)
		if i = middle(sockets); i < len(sockets) {
			cut := uint16(sockets[i] >> 16)
			low.remote.Last, high.remote.First = cut-1, cut
		}
		for j, s := range sockets {
			sockets[j] = s.swap()
		}
	} else {
		cut := uint16(sockets[i] >> 16)
		low.local.Last, high.local.First = cut-1, cut
	}
	if low == p {
		return append(parts, p)
	}
	parts = low.split(parts, sockets[:i], n/2)
	return high.split(parts, sockets[i:], n-n/2)
}

// middle gives the index next to the middle of sorted sockets at which the upper
// port changes, their number if it does not.
func middle(sockets []ports) int {
	half := len(sockets) / 2
	upper := func(i int) ports { return sockets[i] >> 16 }
	for off := range half {
		for _, i := range []int{half - off, half + off} {
			if i > 0 && i < len(sockets) && upper(i-1) != upper(i) {
				return i
			}
		}
	}
	return len(sockets)
}

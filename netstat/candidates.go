package netstat

import (
	"slices"

	"github.com/l4stat/l4stat/netstat/socket"
)

// candidates are the sockets of a row whose owner may be the row's pid: those
// of the best rank that the row has, the oldest first. Where there are more than
// maxCandidates, the last of them are the youngest: where connections are short,
// the oldest are gone before their owner can be looked for.
//
// The kernel does not say when a socket was made. Inode numbers are what there
// is: it hands them out in ascending order (fs/inode.c, get_next_ino), in
// batches of 1,024 to each processor, so that the order is right but for
// sockets made close together.
type candidates struct {
	rank   rank
	n      uint8
	inodes [maxCandidates]uint64 // ascending
	pid    int                   // where the source knows owners itself
}

// maxCandidates bounds how many sockets of a row are tried before its owner
// counts as unknown: nearly always the first has one, but sockets of the kernel
// itself (NFS) do not.
const (
	maxCandidates = 16
	youngest      = 4 // of them
)

// rank orders sockets by how well their owner stands for the row.
type rank uint8

const (
	rankNone rank = iota
	rankOther
	rankUDP
	rankListen
)

func rankOf(s *socket.Socket) rank {
	switch {
	case s.Protocol == socket.UDP:
		return rankUDP
	case s.State == socket.StateListen:
		return rankListen
	default:
		return rankOther
	}
}

func (c *candidates) offer(s *socket.Socket) {
	switch r := rankOf(s); {
	case r < c.rank:
		return
	case r > c.rank:
		*c = candidates{rank: r}
	}
	if c.pid == 0 {
		c.pid = s.PID
	}
	const middle = maxCandidates - youngest
	if s.Inode == 0 || c.n == maxCandidates && c.inodes[middle-1] < s.Inode && s.Inode < c.inodes[middle] {
		return // of a large row nearly all are neither old nor young
	}
	at, _ := slices.BinarySearch(c.list(), s.Inode)
	if c.n < maxCandidates {
		c.n++
		copy(c.inodes[at+1:c.n], c.inodes[at:])
		c.inodes[at] = s.Inode
		return
	}
	// Of 17 the youngest of the old ones or the oldest of the young ones goes.
	if at < middle {
		copy(c.inodes[at+1:middle], c.inodes[at:])
		c.inodes[at] = s.Inode
	} else if at > middle {
		copy(c.inodes[middle:at-1], c.inodes[middle+1:at])
		c.inodes[at-1] = s.Inode
	}
}

// list gives the inodes; it shares the candidates' memory.
func (c *candidates) list() []uint64 { return c.inodes[:c.n] }

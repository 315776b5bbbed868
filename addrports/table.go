package addrports

import (
	"math"
	"net/netip"
)

// Table finds, for an address and a port, the first of its entries that
// matches. The zero Table has no entries. A Table does not change after
// [NewTable], so goroutines may share it.
type Table struct {
	// class holds, for every port, which element of classes decides; 0 is
	// "no entry names this port". It is nil in a table without entries. At
	// 128 KiB it stays in a processor's second-level cache.
	class   []uint16
	classes []class
}

// none stands for "no entry", after every index.
const none = math.MaxInt

// class decides among the entries of one run of ports.
type class struct {
	any    int // lowest index of an entry for any address, or none
	levels []level
}

// level holds the entries whose prefixes have one length, by masked address.
type level struct {
	bits  int
	is4   bool
	index map[netip.Addr]int // lowest index of an entry with that prefix
}

// NewTable makes a table of entries; their order decides which one wins.
func NewTable(entries []Entry) *Table {
	t := &Table{}
	if len(entries) == 0 {
		return t
	}
	t.class = make([]uint16, 1<<16)
	t.classes = make([]class, 1) // class 0 is never looked into
	for run := range runs(entries) {
		// At most 65,535 ports have entries, so the number fits.
		n := uint16(len(t.classes))
		t.classes = append(t.classes, newClass(entries, run.members))
		for port := int(run.first); port <= int(run.last); port++ {
			t.class[port] = n
		}
	}
	return t
}

// Lookup gives the index of the first entry that matches the address and
// port; ok is false when none does. An invalid address matches only entries
// for any address.
func (t *Table) Lookup(ap netip.AddrPort) (index int, ok bool) {
	if t.class == nil {
		return 0, false
	}
	n := t.class[ap.Port()]
	if n == 0 {
		return 0, false
	}
	c := &t.classes[n]
	index = c.any
	if len(c.levels) > 0 {
		index = c.lookup(ap.Addr().Unmap())
	}
	return index, index != none
}

func newClass(entries []Entry, members []int) class {
	c := class{any: none}
	for _, i := range members {
		p, ok := entries[i].Prefix()
		if !ok {
			// Whatever follows an entry for any address never matches.
			c.any = i
			break
		}
		l := c.level(p)
		if _, taken := l.index[p.Addr()]; !taken {
			l.index[p.Addr()] = i
		}
	}
	return c
}

// level finds or makes the level of p's length.
func (c *class) level(p netip.Prefix) *level {
	for i := range c.levels {
		if l := &c.levels[i]; l.bits == p.Bits() && l.is4 == p.Addr().Is4() {
			return l
		}
	}
	c.levels = append(c.levels, level{bits: p.Bits(), is4: p.Addr().Is4(), index: map[netip.Addr]int{}})
	return &c.levels[len(c.levels)-1]
}

// lookup costs one map look-up for each prefix length among the entries of
// the class, whose number is at most 33 for IPv4 and 129 for IPv6.
func (c *class) lookup(addr netip.Addr) int {
	best := c.any
	if !addr.IsValid() {
		return best
	}
	for i := range c.levels {
		l := &c.levels[i]
		if l.is4 != addr.Is4() {
			continue
		}
		p, err := addr.Prefix(l.bits) // drops the zone as well
		if err != nil {
			continue // not reached: bits fit the version
		}
		if i, ok := l.index[p.Addr()]; ok {
			best = min(best, i)
		}
	}
	return best
}

package addrports

import (
	"cmp"
	"math"
	"net/netip"
	"slices"
)

// Table finds, for an address and a port, the first of its entries that
// matches. The zero Table has no entries. A Table does not change after
// [NewTable], so goroutines may share it. However much ranges and networks
// overlap, its memory grows with the number of entries only.
type Table struct {
	// class holds, for every port, which element of classes decides; 0 is
	// "no entry names this port". It is nil in a table without entries. At
	// 128 KiB it stays in a processor's second-level cache.
	class   []uint16
	classes []class
}

// none stands for "no entry", after every index.
const none = math.MaxInt32

// class decides among the entries of one run of ports.
type class struct {
	any    int32   // lowest index of an entry for any address, or none
	levels []level // the prefix lengths in use at these ports
}

// level holds the entries whose prefixes have one length, by masked address.
type level struct {
	bits  int
	is4   bool
	index map[netip.Addr]ranges
}

// ranges are those that the entries of one prefix name. Mostly it is one range
// of one entry, which is found without following a pointer.
type ranges struct {
	entry       int32
	first, last uint16
	more        steps // of all, if they are several
}

func newRanges(s steps) ranges {
	if len(s) == 2 {
		return ranges{entry: s[0].entry, first: uint16(s[0].port), last: uint16(s[1].port - 1)}
	}
	return ranges{more: s}
}

// at returns the first entry at a port, or none.
func (r *ranges) at(port uint16) int32 {
	switch {
	case r.more != nil:
		return r.more.at(port)
	case r.first <= port && port <= r.last:
		return r.entry
	default:
		return none
	}
}

// NewTable makes a table of entries; their order decides which one wins. It
// takes O(n log n) for n entries.
func NewTable(entries []Entry) *Table {
	t := &Table{}
	if len(entries) == 0 {
		return t
	}
	b := newBuilder(entries)
	t.class = make([]uint16, 1<<16)
	t.classes = make([]class, 1) // class 0 is never looked into
	for i, c := range b.changes {
		b.apply(c)
		next := int32(1 << 16)
		if i+1 < len(b.changes) {
			next = b.changes[i+1].port
		}
		if next == c.port || b.any == none && b.inUse == (levelSet{}) {
			continue
		}
		// At most 65,535 ports have entries, so the number fits.
		n := uint16(len(t.classes))
		t.classes = append(t.classes, class{any: b.any, levels: b.list()})
		for port := c.port; port < next; port++ {
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
	first := c.any
	if len(c.levels) > 0 {
		first = c.lookup(ap.Addr().Unmap(), ap.Port())
	}
	return int(first), first != none
}

// lookup costs one map look-up for each prefix length among the entries of
// the class, whose number is at most 33 for IPv4 and 129 for IPv6. Where several
// entries have the prefix, it costs a binary search among those as well.
func (c *class) lookup(addr netip.Addr, port uint16) int32 {
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
		if r, ok := l.index[p.Addr()]; ok {
			best = min(best, r.at(port))
		}
	}
	return best
}

// Every length of a prefix is a level of its own: 33 of IPv4, then 129 of IPv6.
const (
	levels4   = 32 + 1
	numLevels = levels4 + 128 + 1
)

// levelSet is a set of levels, a bit for each.
type levelSet [(numLevels + 63) / 64]uint64

// builder goes through the ports in ascending order and knows what may match at
// each.
type builder struct {
	changes []change
	levels  [numLevels]*level
	lists   map[levelSet][]level // classes of the same levels share a list

	any      int32
	prefixes [numLevels]int // how many of the level have an entry
	inUse    levelSet
}

// change is what becomes different at a port.
type change struct {
	port  int32
	level int   // numLevels: any address
	first int32 // of any address: its first entry from here on
	more  int   // of a level: 1 for a prefix that begins to have an entry, -1 for one that ends
}

func newBuilder(entries []Entry) *builder {
	b := &builder{any: none, lists: map[levelSet][]level{}}
	for p, s := range byPrefix(entries) {
		n := numLevels
		if p.IsValid() {
			n = b.add(p, s)
		}
		was := int32(none)
		for _, step := range s {
			c := change{port: step.port, level: n, first: step.entry}
			if was == none {
				c.more++
			}
			if step.entry == none {
				c.more--
			}
			was = step.entry
			b.changes = append(b.changes, c)
		}
	}
	slices.SortFunc(b.changes, func(x, y change) int { return cmp.Compare(x.port, y.port) })
	return b
}

// add puts a prefix into its level and returns the level's number.
func (b *builder) add(p netip.Prefix, s steps) int {
	n := p.Bits()
	if !p.Addr().Is4() {
		n += levels4
	}
	if b.levels[n] == nil {
		b.levels[n] = &level{bits: p.Bits(), is4: p.Addr().Is4(), index: map[netip.Addr]ranges{}}
	}
	b.levels[n].index[p.Addr()] = newRanges(s)
	return n
}

func (b *builder) apply(c change) {
	if c.level == numLevels {
		b.any = c.first
		return
	}
	b.prefixes[c.level] += c.more
	word, bit := &b.inUse[c.level/64], uint64(1)<<(c.level%64)
	if *word &^= bit; b.prefixes[c.level] > 0 {
		*word |= bit
	}
}

// list returns the levels in use, in ascending order of their numbers.
func (b *builder) list() []level {
	list, ok := b.lists[b.inUse]
	if !ok {
		for n, l := range b.levels {
			if b.prefixes[n] > 0 {
				list = append(list, *l)
			}
		}
		b.lists[b.inUse] = list
	}
	return list
}

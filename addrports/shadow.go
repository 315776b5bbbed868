package addrports

import (
	"cmp"
	"math/bits"
	"net/netip"
	"slices"
)

// Shadowed gives the indexes of the entries that can never match, because the
// entries before them take every address and port that they name.
//
// It goes through the ports once with a tree of the prefixes, and so costs
// O(n log n) for n entries, times the depth of the tree, which is at most the
// length of an address.
func Shadowed(entries []Entry) []int {
	s := newShadows(entries)
	for len(s.changes) > 0 {
		port := s.changes[0].port
		for len(s.changes) > 0 && s.changes[0].port == port {
			c := s.changes[0]
			c.node.first = c.first
			s.update(c.node)
			s.changes = s.changes[1:]
		}
		for s.root.shown != none {
			i := s.root.shown
			s.reached[i] = true
			s.update(s.nodes[i])
		}
	}
	var shadowed []int
	for i, ok := range s.reached {
		if !ok {
			shadowed = append(shadowed, i)
		}
	}
	return shadowed
}

// shadows is the state of [Shadowed] at one port.
type shadows struct {
	root    *prefixNode
	nodes   []*prefixNode // by entry
	reached []bool        // by entry: at this port or one before, some address has it first
	changes []nodeChange  // ahead, in ascending order of ports
}

// nodeChange is a step of the entries of a node.
type nodeChange struct {
	port  int32
	first int32
	node  *prefixNode
}

// prefixNode is a prefix in a binary tree. Its children are the longest prefixes
// that hold all entries of its lower and of its upper half.
type prefixNode struct {
	prefix   netip.Prefix // the zero Prefix at the root: any address, IPv4, IPv6 and unknown ones
	parent   *prefixNode
	children [2]*prefixNode

	first int32 // the first entry with just this prefix, or none
	// hides is the lowest index that an entry of a wider prefix may not exceed
	// to be first for some address of this one; none if any may.
	hides int32
	// shown is the lowest entry within this prefix that is not yet known to be
	// reached and is first for some address of it; none if there is none.
	shown int32
}

func newShadows(entries []Entry) *shadows {
	s := &shadows{reached: make([]bool, len(entries)), nodes: make([]*prefixNode, len(entries))}
	all := map[netip.Prefix]steps{}
	var four, six []netip.Prefix
	for p, steps := range byPrefix(entries) {
		all[p] = steps
		switch {
		case !p.IsValid():
		case p.Addr().Is4():
			four = append(four, p)
		default:
			six = append(six, p)
		}
	}
	s.root = &prefixNode{first: none, hides: none, shown: none, children: [2]*prefixNode{newPrefixTree(four), newPrefixTree(six)}}
	s.root.adopt()

	byPrefix := map[netip.Prefix]*prefixNode{}
	s.root.walk(func(n *prefixNode) {
		byPrefix[n.prefix] = n
		for _, step := range all[n.prefix] {
			s.changes = append(s.changes, nodeChange{step.port, step.entry, n})
		}
	})
	for i, e := range entries {
		s.nodes[i] = byPrefix[e.prefix]
	}
	slices.SortFunc(s.changes, func(a, b nodeChange) int { return cmp.Compare(a.port, b.port) })
	return s
}

// update works out n and the nodes above it anew.
func (s *shadows) update(n *prefixNode) {
	for ; n != nil; n = n.parent {
		below := n.behind()
		n.hides = min(n.first, below)
		n.shown = none
		for _, c := range n.children {
			if c != nil {
				n.shown = min(n.shown, c.shown)
			}
		}
		if n.shown > n.first {
			n.shown = none // behind the node's own
		}
		if n.first < below && !s.reached[n.first] {
			n.shown = min(n.shown, n.first)
		}
	}
}

// behind returns what the halves of n, taken together, hide: an entry for n that
// comes after it is never first.
func (n *prefixNode) behind() int32 {
	if n.parent == nil {
		return none // IPv4 and IPv6 leave sockets whose address is unknown
	}
	most := int32(-1)
	for _, c := range n.children {
		if c == nil || c.prefix.Bits() != n.prefix.Bits()+1 {
			return none // a part of n has no entry
		}
		most = max(most, c.hides)
	}
	return most
}

// newPrefixTree makes the tree of prefixes of one IP version, which it sorts;
// nil if there are none.
func newPrefixTree(prefixes []netip.Prefix) *prefixNode {
	slices.SortFunc(prefixes, netip.Prefix.Compare)
	return subtree(prefixes)
}

// subtree makes the tree of prefixes that are sorted: by address, and of the same
// address the wider first. It is as deep as an address is long at the most.
func subtree(prefixes []netip.Prefix) *prefixNode {
	if len(prefixes) == 0 {
		return nil
	}
	n := &prefixNode{prefix: common(prefixes[0], prefixes[len(prefixes)-1]), first: none, hides: none, shown: none}
	if prefixes[0] == n.prefix {
		prefixes = prefixes[1:]
	}
	upper, _ := slices.BinarySearchFunc(prefixes, true, func(p netip.Prefix, _ bool) int {
		if bit(p.Addr(), n.prefix.Bits()) {
			return 0
		}
		return -1
	})
	n.children = [2]*prefixNode{subtree(prefixes[:upper]), subtree(prefixes[upper:])}
	n.adopt()
	return n
}

func (n *prefixNode) adopt() {
	for _, c := range n.children {
		if c != nil {
			c.parent = n
		}
	}
}

func (n *prefixNode) walk(visit func(*prefixNode)) {
	if n == nil {
		return
	}
	visit(n)
	for _, c := range n.children {
		c.walk(visit)
	}
}

// common returns the longest prefix that holds both p and q.
func common(p, q netip.Prefix) netip.Prefix {
	a, b := p.Addr().AsSlice(), q.Addr().AsSlice()
	same := 0
	for i := range a {
		n := bits.LeadingZeros8(a[i] ^ b[i])
		if same += n; n < 8 {
			break
		}
	}
	return netip.PrefixFrom(p.Addr(), min(same, p.Bits(), q.Bits())).Masked()
}

// bit reports whether bit i of an address, counted from the highest, is set.
func bit(addr netip.Addr, i int) bool {
	b := addr.AsSlice()
	return b[i/8]>>(7-i%8)&1 == 1
}

package addrports

import (
	"iter"
	"net/netip"
	"slices"
)

// steps tell, for the entries of one prefix, which of them comes first at each
// port. They stand in ascending order of ports; before the first step there is
// no entry, and the last step ends the last range. They are never more than
// twice the entries.
type steps []step

// step holds from its port up to the port of the next.
type step struct {
	port  int32 // at most 65,536: one past the last port
	entry int32 // the lowest index of the entries that name these ports, or none
}

// at returns the first entry at a port, or none.
func (s steps) at(port uint16) int32 {
	// sort.Search, written out: a look-up is made for each socket of the host.
	low, high := 0, len(s)
	for low < high {
		if mid := int(uint(low+high) >> 1); s[mid].port <= int32(port) {
			low = mid + 1
		} else {
			high = mid
		}
	}
	if low == 0 {
		return none
	}
	return s[low-1].entry
}

// byPrefix yields each prefix that entries name, the zero Prefix for any
// address among them, with its steps. It costs O(n log n) for n entries.
func byPrefix(entries []Entry) iter.Seq2[netip.Prefix, steps] {
	members := map[netip.Prefix][]int32{}
	for i := range entries {
		p := entries[i].prefix
		members[p] = append(members[p], int32(i))
	}
	return func(yield func(netip.Prefix, steps) bool) {
		for p, indexes := range members {
			if !yield(p, newSteps(entries, indexes)) {
				return
			}
		}
	}
}

// newSteps makes the steps of the entries with the given indexes, which ascend.
func newSteps(entries []Entry, indexes []int32) steps {
	// The ends of all ranges cut the ports into cells.
	ends := make([]int32, 0, 2*len(indexes))
	for _, i := range indexes {
		ends = append(ends, int32(entries[i].first), int32(entries[i].last)+1)
	}
	slices.Sort(ends)
	ends = slices.Compact(ends)

	// Each entry takes those cells of its range that no entry before it took.
	// free[i] leads to the first cell from i on that is not taken.
	taken, free := make([]int32, len(ends)), make([]int, len(ends))
	for i := range ends {
		taken[i], free[i] = none, i
	}
	next := func(i int) int {
		for free[i] != i {
			free[i] = free[free[i]]
			i = free[i]
		}
		return i
	}
	for _, entry := range indexes {
		first, _ := slices.BinarySearch(ends, int32(entries[entry].first))
		end := int32(entries[entry].last) + 1
		for i := next(first); ends[i] < end; i = next(i) {
			taken[i], free[i] = entry, i+1 // the last end is never taken
		}
	}

	var s steps
	for i, port := range ends {
		if len(s) == 0 || s[len(s)-1].entry != taken[i] {
			s = append(s, step{port, taken[i]})
		}
	}
	return slices.Clip(s)
}

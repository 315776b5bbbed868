package addrports

import (
	"cmp"
	"iter"
	"slices"
)

// run is a stretch of ports that the same entries name.
type run struct {
	first, last uint16
	members     []int // indexes of those entries, ascending; valid until the next run
}

// runs cuts the ports that entries name into runs, in ascending order.
func runs(entries []Entry) iter.Seq[run] {
	return func(yield func(run) bool) {
		byFirst := make([]int, len(entries))
		for i := range byFirst {
			byFirst[i] = i
		}
		slices.SortFunc(byFirst, func(a, b int) int { return cmp.Compare(entries[a].first, entries[b].first) })

		var members []int
		for port := 0; port <= 1<<16; { // ports as ints: one past the last must fit
			members = slices.DeleteFunc(members, func(i int) bool { return int(entries[i].last) < port })
			for len(byFirst) > 0 && int(entries[byFirst[0]].first) <= port {
				at, _ := slices.BinarySearch(members, byFirst[0])
				members = slices.Insert(members, at, byFirst[0])
				byFirst = byFirst[1:]
			}
			next := 1<<16 + 1
			if len(byFirst) > 0 {
				next = int(entries[byFirst[0]].first)
			}
			for _, i := range members {
				next = min(next, int(entries[i].last)+1)
			}
			if len(members) > 0 && !yield(run{uint16(port), uint16(next - 1), members}) {
				return
			}
			port = next
		}
	}
}

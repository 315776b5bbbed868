package addrports

import "net/netip"

// Shadowed gives the indexes of the entries that can never match, because the
// entries before them take every address and port that they name.
func Shadowed(entries []Entry) []int {
	reached := make([]bool, len(entries))
	for run := range runs(entries) {
		var before []netip.Prefix // what the members so far take
		for _, i := range run.members {
			p, ok := entries[i].Prefix()
			if !ok {
				// It takes everything, sockets without an address too, which
				// prefixes together do not.
				reached[i] = true
				break
			}
			reached[i] = reached[i] || !covered(p, before)
			before = append(before, p)
		}
	}
	var shadowed []int
	for i, ok := range reached {
		if !ok {
			shadowed = append(shadowed, i)
		}
	}
	return shadowed
}

// covered reports whether set, taken together, holds every address of p. It
// halves p only where a narrower member of set lies inside, so it costs at
// most len(set) times the length of an address.
func covered(p netip.Prefix, set []netip.Prefix) bool {
	inside := false
	for _, q := range set {
		if !q.Overlaps(p) {
			continue
		}
		if q.Bits() <= p.Bits() {
			return true
		}
		inside = true
	}
	if !inside {
		return false
	}
	low, high := halves(p)
	return covered(low, set) && covered(high, set)
}

// halves splits p, which must not be a single address, in two.
func halves(p netip.Prefix) (low, high netip.Prefix) {
	bits := p.Bits() + 1
	b := p.Addr().AsSlice()
	b[(bits-1)/8] |= 1 << (7 - (bits-1)%8)
	top, _ := netip.AddrFromSlice(b) // always 4 or 16 bytes
	return netip.PrefixFrom(p.Addr(), bits), netip.PrefixFrom(top, bits)
}

package addrports

import "net/netip"

// Group is entries that are compared with the same end of a socket. Of all entries
// of a side, in the order of the groups, the first that matches counts.
type Group struct {
	// Remote has the entries compared with the socket's remote address and port,
	// not with its local ones.
	Remote  bool
	Entries []Entry
}

// Matcher says which entries of groups a socket belongs to. Entries are numbered
// through all groups, in order. The zero Matcher has none.
type Matcher struct {
	local, remote side
}

// side is the entries of the groups that go by one end of a socket.
type side struct {
	table   *Table // nil without entries
	entries []Entry
	numbers []int // by index in entries
}

// NewMatcher returns the Matcher of groups, and keeps no reference to them.
func NewMatcher(groups []Group) *Matcher {
	m := &Matcher{}
	n := 0
	for _, g := range groups {
		s := &m.local
		if g.Remote {
			s = &m.remote
		}
		for _, e := range g.Entries {
			s.entries, s.numbers = append(s.entries, e), append(s.numbers, n)
			n++
		}
	}
	for _, s := range []*side{&m.local, &m.remote} {
		if len(s.entries) > 0 {
			s.table = NewTable(s.entries)
		}
	}
	return m
}

// Match returns the number of the entry that takes a socket by its local address
// and port, and of the one that takes it by its remote ones; -1 is none. It does not
// allocate.
func (m *Matcher) Match(local, remote netip.AddrPort) (byLocal, byRemote int) {
	return m.local.lookup(local), m.remote.lookup(remote)
}

func (s *side) lookup(ap netip.AddrPort) int {
	if s.table == nil {
		return -1
	}
	i, ok := s.table.Lookup(ap)
	if !ok {
		return -1
	}
	return s.numbers[i]
}

// Shadowed returns the numbers of the entries that can never match, because entries
// before them on the same side take every address and port that they name: those of
// the local side, then those of the remote side.
func (m *Matcher) Shadowed() (local, remote []int) {
	return m.local.shadowed(), m.remote.shadowed()
}

func (s *side) shadowed() []int {
	found := Shadowed(s.entries)
	for i, index := range found {
		found[i] = s.numbers[index]
	}
	return found
}

package owner

import "slices"

// place is a descriptor table, and descriptors of it that were wanted sockets
// lately, ascending. A new socket gets the lowest number that is free, so a
// process that opens and closes sockets uses the same numbers again and again.
type place struct {
	pid, tid int
	fds      []int
}

const (
	maxRecent  = 64 // places remembered
	askedPlace = 16 // places looked at for sockets that are new
	maxFDs     = 8  // descriptors remembered of a place
	aroundFD   = 2  // how many descriptors to either side are looked at too

	lowFDs = 32 // descriptors from 0 that are looked at in each table,
	topFDs = 32 // and around the one that it would end with if none were unused
)

// remember puts a place first among the recent ones.
func (f *Finder) remember(pid, tid, fd int) {
	i := slices.IndexFunc(f.recent, func(p *place) bool { return p.pid == pid && p.tid == tid })
	switch {
	case i >= 0:
	case len(f.recent) < maxRecent:
		f.recent = append(f.recent, &place{pid: pid, tid: tid})
		i = len(f.recent) - 1
	default:
		i = len(f.recent) - 1
		*f.recent[i] = place{pid: pid, tid: tid}
	}
	p := f.recent[i]
	copy(f.recent[1:i+1], f.recent[:i])
	f.recent[0] = p
	at, known := slices.BinarySearch(p.fds, fd)
	if known {
		return
	}
	p.fds = slices.Insert(p.fds, at, fd)
	if len(p.fds) > maxFDs { // the one farthest from the new one goes
		if fd-p.fds[0] > p.fds[maxFDs]-fd {
			p.fds = p.fds[1:]
		} else {
			p.fds = p.fds[:maxFDs]
		}
	}
}

// askRecent looks at the places where sockets were found last: first around the
// very descriptors, then, if that leaves a row without owner, at both ends of the
// tables. It looks at a hundred descriptors of each of 16 places at the most.
func (s *search) askRecent() {
	places := slices.Clone(s.recent[:min(len(s.recent), askedPlace)])
	var gone []*place
	ask := func(look func(p *place, t *table)) {
		for _, p := range places {
			t, err := openTable(s.root, p.pid, p.tid)
			if err != nil {
				gone = append(gone, p)
				continue
			}
			look(p, t)
			t.close()
		}
	}
	ask(s.askAround)
	if s.need() > needNone {
		ask(s.askEnds)
	}
	s.recent = slices.DeleteFunc(s.recent, func(p *place) bool { return slices.Contains(gone, p) })
}

func (s *search) askAround(p *place, t *table) {
	next := 0
	for _, fd := range slices.Clone(p.fds) { // which change as sockets are found
		s.askRange(p, t, max(next, fd-aroundFD), fd+aroundFD)
		next = fd + aroundFD + 1
	}
}

// askEnds looks at the descriptors at either end of a table.
func (s *search) askEnds(p *place, t *table) {
	s.askRange(p, t, 0, lowFDs-1)
	s.askRange(p, t, max(lowFDs, t.size-topFDs), t.size+topFDs-1)
}

func (s *search) askRange(p *place, t *table, first, last int) {
	for fd := first; fd <= last && !t.refused; fd++ {
		if inode, _ := t.look(fd); inode != 0 {
			s.found(p, fd, inode)
		}
	}
}

// askAncestors asks the ancestors of the owners found so far, one of which may
// have the socket too, as the master of a worker has: under the same number, as
// fork leaves it, and a listener, which may have been handed over, under any. Of
// a row's other sockets only the one that stands for it is asked for.
func (s *search) askAncestors() {
	for len(s.began) > 0 {
		began := s.began
		s.began = nil
		stands := map[uint64]bool{}
		for i := range s.rows {
			inode, _ := s.answer(&s.rows[i])
			stands[inode] = true
		}
		for _, inode := range began {
			if s.missing[inode] || stands[inode] {
				s.askAncestorsOf(inode)
			}
		}
	}
}

// maxAncestors is how many ancestors of an owner are asked: anybody can make a long
// line of processes, and what is not procfs may have one that ends nowhere.
const maxAncestors = 64

func (s *search) askAncestorsOf(inode uint64) {
	o := s.owners[inode]
	p := o.process
	for n := 0; n < maxAncestors && p.parent > 0 && p.pid > 1; n++ {
		var ok bool
		if p, ok = s.process(p.parent); !ok {
			return
		}
		t, err := openTable(s.root, p.pid, 0)
		if err != nil {
			continue
		}
		at := &place{pid: p.pid}
		if s.missing[inode] {
			for fd, inode := range t.sockets() {
				s.found(at, fd, inode)
			}
		} else {
			s.askRange(at, t, o.fd, o.fd)
		}
		t.close()
	}
}

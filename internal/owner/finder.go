// Package owner finds the processes that hold sockets open, given the sockets'
// inodes.
//
// Only procfs knows, and only from the side of the processes: each descriptor
// of each process is a link, /proc/PID/fd/N -> socket:[inode]. Reading all of
// them is what makes other tools slow: half a second for 100,000 descriptors. So
// a [Finder] confirms what it knows with one readlink, looks for what is new
// where new sockets usually are, and reads the rest only as a budget allows.
package owner

import (
	"context"
	"maps"
	"runtime"

	"github.com/l4stat/l4stat/internal/privilege"
)

// Row is a set of sockets, of which one stands for all.
type Row struct {
	// Inodes are the sockets, the best first. The owner of the first that has one
	// is the row's.
	Inodes []uint64
	// Listener says that the owner is wanted now, whatever a budget says. There
	// should be few such rows whose sockets change.
	Listener bool
	// PID is set by Find: the owner, 0 if none is known.
	PID int
}

// Finder finds owners and remembers them. It is not safe for use by two
// goroutines at once.
type Finder struct {
	root   string
	owners map[uint64]owner
	nobody map[uint64]pause // asked for and not found
	recent []*place         // where sockets were found, the latest first

	budget  budget
	walk    *walk // under way, nil if none is
	walked  bool  // once over all there is
	listed  []int // the processes, when the last walk began
	vain    pause // of walks for sockets that are new themselves
	refused bool  // processes may not be looked into
	missed  bool  // a row of the last Find has no owner
}

// owner is a descriptor that refers to a socket.
type owner struct {
	process
	fd   int
	link link // /proc/PID/fd/N, or /proc/PID/task/TID/fd/N
}

// pause is for how many calls of Find a socket that nobody has is not searched
// for again. It doubles, as a socket that stays nobody's is likely the kernel's
// own or of a user whose processes are not ours to look into. It begins with
// one: a process that ends just after handing its socket to another may hide it
// from a search.
type pause struct{ left, length int }

const maxPause = 64

func (p pause) longer() pause {
	p.length = min(max(1, 2*p.length), maxPause)
	p.left = p.length - 1
	return p
}

// New makes a Finder that reads procfs as mounted at root.
func New(root string) *Finder {
	return &Finder{root: root, owners: map[uint64]owner{}, nobody: map[uint64]pause{}, budget: newBudget()}
}

// Find sets the PID of each row. A process that ended, or that this one may not
// look into, owns nothing as far as Find can tell. Of several processes that
// share a socket, the one that started first is its owner; one that is no
// ancestor of the others and has the socket at a high descriptor of its own may
// be overlooked.
//
// While nothing changes it costs a readlink for each row. A socket that is new is
// looked for in a few dozen descriptors of the processes that had one lately,
// and of their ancestors. Where that leaves a row without owner, all processes
// are walked over: those that are new, then the descriptors at either end of each
// table, since a new socket has the lowest number that is free, then the rest,
// then the tables that single threads have. The first such walk is made to its
// end. Later ones cost 2 % of a core over time at the most, and go on at the next
// call where that is not enough, so that a row may have its owner some calls
// later; the owner of a listener is found at once, from what would be spent in the
// next 100 s. A socket that nobody has is looked for ever more seldom.
//
// The error is that of reading procfs itself, or of ctx; the rows have what was
// found all the same.
func (f *Finder) Find(ctx context.Context, rows []Row) error {
	f.budget.begin()
	if f.vain.left > 0 {
		f.vain.left--
	}
	err := privilege.Descriptors(func() error { return f.look(ctx, rows) })
	f.missed = false
	for i := range rows {
		_, rows[i].PID = f.answer(&rows[i])
		if rows[i].PID == 0 && len(rows[i].Inodes) > 0 {
			f.missed = true
		}
	}
	return err
}

// look brings what is known of the rows' sockets up to date.
func (f *Finder) look(ctx context.Context, rows []Row) error {
	s := f.recall(rows)
	if s == nil {
		f.walk = nil
		return nil
	}
	defer f.forget(rows)
	return s.run(ctx)
}

// Refused reports whether a row of the last Find has no owner, while there are
// processes that may not be looked into for want of privilege. [NeedsPrivilege]
// says what to do.
func (f *Finder) Refused() bool { return f.missed && f.refused && !privileged() }

// answer returns the socket that stands for the row, and its owner; zeros if none
// of its sockets has one.
func (f *Finder) answer(r *Row) (inode uint64, pid int) {
	for _, inode := range r.Inodes {
		if o, ok := f.owners[inode]; ok {
			return inode, o.pid
		}
	}
	return 0, 0
}

// recall confirms what is known, and starts a search if that leaves questions.
func (f *Finder) recall(rows []Row) *search {
	var s *search
	for _, r := range rows {
		for _, inode := range r.Inodes {
			if s != nil {
				if _, ok := s.missing[inode]; ok {
					continue
				}
			}
			o, known := f.owners[inode]
			if known && o.link.holds(inode) {
				break // the rest of the row does not matter
			}
			if p, ok := f.nobody[inode]; ok && p.left > 0 {
				p.left--
				f.nobody[inode] = p
				continue
			}
			if s == nil {
				s = &search{Finder: f, rows: rows, missing: map[uint64]bool{}, processes: map[int]process{}}
			}
			delete(f.owners, inode)
			s.missing[inode] = r.Listener
		}
	}
	return s
}

// forget drops what was not asked for, so that a Finder never grows.
func (f *Finder) forget(rows []Row) {
	keep := map[uint64]struct{}{}
	for _, r := range rows {
		for _, inode := range r.Inodes {
			keep[inode] = struct{}{}
		}
	}
	maps.DeleteFunc(f.owners, func(inode uint64, _ owner) bool { _, ok := keep[inode]; return !ok })
	maps.DeleteFunc(f.nobody, func(inode uint64, _ pause) bool { _, ok := keep[inode]; return !ok })
}

// search looks for the owners of sockets that are not known, in one call of Find.
type search struct {
	*Finder
	rows      []Row
	missing   map[uint64]bool // the sockets; whether a listener's row wants it
	processes map[int]process // whose stat was read
	began     []uint64        // sockets found whose owners' ancestors have not been asked
}

func (s *search) run(ctx context.Context) error {
	// The budget counts the processor time of one thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	s.askRecent()
	s.askAncestors()
	err := s.walkOn(ctx)
	for inode := range s.missing {
		_, found := s.owners[inode]
		_, asked := s.nobody[inode]
		switch {
		case found:
			delete(s.nobody, inode)
		case !asked:
			s.nobody[inode] = pause{}
		}
	}
	return err
}

// need is how badly a walk is needed.
type need int

const (
	needNone need = iota
	needNew       // for rows whose sockets are all new
	needOld       // for sockets that were there at the last call
	needNow       // for listeners
)

// need returns what the row needs that needs most. A row that has an owner does
// not need a walk for the sake of a better socket which may be gone before it
// ends; a socket that is there for the second time is worth it.
func (s *search) need() need {
	most := needNone
	for _, r := range s.rows {
		most = max(most, s.needOf(&r))
	}
	return most
}

func (s *search) needOf(r *Row) need {
	of := needNone
	for _, inode := range r.Inodes {
		if _, found := s.owners[inode]; found {
			if of == needNew {
				return needNone
			}
			return of
		}
		if _, missing := s.missing[inode]; !missing {
			continue // nobody's
		}
		if r.Listener {
			return needNow
		}
		of = max(of, needNew)
		if _, asked := s.nobody[inode]; asked {
			of = needOld
		}
	}
	return of
}

// found takes note of a descriptor if it is a missing socket.
func (s *search) found(p *place, fd int, inode uint64) {
	if _, ok := s.missing[inode]; !ok {
		return
	}
	process, ok := s.process(p.pid)
	if !ok {
		return // it has ended
	}
	known, ok := s.owners[inode]
	if ok && !process.precedes(&known.process) {
		return
	}
	if !ok {
		s.began = append(s.began, inode)
	}
	s.owners[inode] = owner{process, fd, newLink(s.root, p.pid, p.tid, fd)}
	s.remember(p.pid, p.tid, fd)
}

// process returns what /proc/PID/stat has of a process, read once a search.
func (s *search) process(pid int) (process, bool) {
	p, ok := s.processes[pid]
	if !ok {
		if p, ok = readProcess(s.root, pid); ok {
			s.processes[pid] = p
		}
	}
	return p, ok
}

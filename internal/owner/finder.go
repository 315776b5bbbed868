// Package owner finds the processes that hold sockets open, given the sockets'
// inodes.
//
// Only procfs knows, and only from the side of the processes: each descriptor
// of each process is a link, /proc/PID/fd/N -> socket:[inode]. Reading all of
// them is what makes other tools slow, so a [Finder] remembers who had a
// socket, which it confirms with one readlink, and looks further only for
// sockets that it has not met.
package owner

import (
	"context"
	"maps"
	"slices"
)

// Finder finds owners and remembers them. It is not safe for use by two
// goroutines at once.
type Finder struct {
	root   string
	owners map[uint64]owner
	nobody map[uint64]pause // searched for and not found
}

// owner is a descriptor that refers to a socket.
type owner struct {
	pid   int
	start uint64 // when the process started, in clock ticks after boot
	link  link   // /proc/PID/fd/N
}

// pause is for how many calls of Find a socket that nobody has is not searched
// for again. It doubles, as a socket that stays nobody's is likely the kernel's
// own or of a user whose processes are not ours to look into. It begins with
// one: a process that ends just after handing its socket to another may hide it
// from a search.
type pause struct{ left, length int }

const maxPause = 64

// New makes a Finder that reads procfs as mounted at root.
func New(root string) *Finder {
	return &Finder{root: root, owners: map[uint64]owner{}, nobody: map[uint64]pause{}}
}

// Find sets pids[i] to the owner of the first socket in wanted[i] that has one,
// or to 0. A process that ended, or that this one may not look into, owns
// nothing as far as Find can tell. Of several processes that share a socket,
// the one that started first is its owner.
//
// It costs a readlink for each list while nothing changes. Sockets that are new
// are looked for among the descriptors of the processes found earlier and of
// their ancestors, and if those do not have them, in one walk over all the
// others'. A socket that nobody has is looked for again ever more seldom.
//
// The error is that of reading procfs itself, or of ctx; pids has what was
// found all the same.
func (f *Finder) Find(ctx context.Context, wanted [][]uint64, pids []int) error {
	var err error
	if s := f.recall(wanted); s != nil {
		err = s.run(ctx, wanted)
		f.forget(wanted)
	}
	for i, inodes := range wanted {
		pids[i] = 0
		for _, inode := range inodes {
			if o, ok := f.owners[inode]; ok {
				pids[i] = o.pid
				break
			}
		}
	}
	return err
}

// recall confirms what is known, and starts a search if that leaves questions.
func (f *Finder) recall(wanted [][]uint64) *search {
	var s *search
	for _, inodes := range wanted {
		for _, inode := range inodes {
			o, known := f.owners[inode]
			if known && linkedInode(nil, o.link) == inode {
				break // the rest of the list does not matter
			}
			if p, ok := f.nobody[inode]; ok && p.left > 0 {
				p.left--
				f.nobody[inode] = p
				continue
			}
			if s == nil {
				s = newSearch(f)
			}
			delete(f.owners, inode)
			s.missing[inode] = struct{}{}
		}
	}
	return s
}

// forget drops what was not asked for, so that a Finder never grows.
func (f *Finder) forget(wanted [][]uint64) {
	keep := map[uint64]struct{}{}
	for _, inodes := range wanted {
		for _, inode := range inodes {
			keep[inode] = struct{}{}
		}
	}
	maps.DeleteFunc(f.owners, func(inode uint64, _ owner) bool { _, ok := keep[inode]; return !ok })
	maps.DeleteFunc(f.nobody, func(inode uint64, _ pause) bool { _, ok := keep[inode]; return !ok })
}

// search looks for the owners of sockets among the descriptors of processes,
// reading each process at most once.
type search struct {
	*Finder
	likely  []int // processes that had a wanted socket before
	read    map[int]struct{}
	missing map[uint64]struct{}
}

func newSearch(f *Finder) *search {
	s := &search{Finder: f, read: map[int]struct{}{}, missing: map[uint64]struct{}{}}
	for _, o := range f.owners {
		s.likely = append(s.likely, o.pid)
	}
	slices.Sort(s.likely)
	s.likely = slices.Compact(s.likely)
	return s
}

func (s *search) run(ctx context.Context, wanted [][]uint64) error {
	if err := s.readAll(ctx, s.likely); err != nil {
		return err
	}
	if err := s.readAncestors(ctx); err != nil || s.settled(wanted) {
		return err
	}
	// Twice, since a process may have ended since it was listed and left its
	// socket to a child. The second time only what is new is read.
	for range 2 {
		pids, err := listPIDs(s.root)
		if err != nil {
			return err
		}
		if err := s.readAll(ctx, pids); err != nil {
			return err
		}
		if s.settled(wanted) {
			break
		}
	}
	for inode := range s.missing {
		if _, ok := s.owners[inode]; ok {
			delete(s.nobody, inode)
			continue
		}
		p := s.nobody[inode]
		p.length = min(max(1, 2*p.length), maxPause)
		p.left = p.length - 1
		s.nobody[inode] = p
	}
	return nil
}

// readAncestors reads the ancestors of the owners found so far, one of which may
// have the socket too, as the master of a worker has.
func (s *search) readAncestors(ctx context.Context) error {
	for inode := range s.missing {
		pid := s.owners[inode].pid
		for pid > 1 {
			stat, ok := readStat(s.root, pid)
			if !ok {
				break
			}
			if err := s.readAll(ctx, []int{stat.parent}); err != nil {
				return err
			}
			pid = stat.parent
		}
	}
	return nil
}

// settled reports whether each list has its answer, which it has not while a
// socket before the one with an owner is still missing.
func (s *search) settled(wanted [][]uint64) bool {
	for _, inodes := range wanted {
		for _, inode := range inodes {
			if _, ok := s.owners[inode]; ok {
				break
			}
			if _, ok := s.missing[inode]; ok {
				return false
			}
		}
	}
	return true
}

func (s *search) readAll(ctx context.Context, pids []int) error {
	for _, pid := range pids {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if _, done := s.read[pid]; done {
			continue
		}
		s.read[pid] = struct{}{}
		s.readProcess(pid)
	}
	return nil
}

// readProcess takes note of the missing sockets that a process holds.
func (s *search) readProcess(pid int) {
	var start uint64
	for fd, inode := range sockets(s.root, pid) {
		if _, ok := s.missing[inode]; !ok {
			continue
		}
		if start == 0 {
			stat, ok := readStat(s.root, pid)
			if !ok {
				return // it has ended
			}
			start = stat.start
		}
		if known, ok := s.owners[inode]; !ok || start < known.start {
			s.owners[inode] = owner{pid: pid, start: start, link: newLink(s.root, pid, fd)}
		}
	}
}

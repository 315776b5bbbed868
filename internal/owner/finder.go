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
	nobody map[uint64]struct{} // searched for and not found
}

// owner is a descriptor that refers to a socket.
type owner struct {
	pid   int
	start uint64 // when the process started, in clock ticks after boot
	link  string // /proc/PID/fd/N
}

// New makes a Finder that reads procfs as mounted at root.
func New(root string) *Finder {
	return &Finder{root: root, owners: map[uint64]owner{}, nobody: map[uint64]struct{}{}}
}

// Find sets pids[i] to the owner of the first socket in wanted[i] that has one,
// or to 0. A process that ended, or that this one may not look into, owns
// nothing as far as Find can tell. Of several processes that share a socket,
// the one that started first is its owner.
//
// It costs a readlink for each list while nothing changes. Sockets that are new
// are looked for among the descriptors of the processes found earlier, and if
// those do not have them, in one walk over all the others'. A socket that
// nobody has is not looked for again while it is asked for.
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
		o, _ := f.first(inodes)
		pids[i] = o.pid
	}
	return err
}

// recall confirms what is known, and starts a search if that leaves questions.
func (f *Finder) recall(wanted [][]uint64) *search {
	var s *search
	for _, inodes := range wanted {
		for _, inode := range inodes {
			if o, ok := f.owners[inode]; ok {
				if linkedInode(o.link) == inode {
					break // the rest of the list does not matter
				}
				if s == nil {
					s = newSearch(f)
				}
				delete(f.owners, inode)
			}
			if _, ok := f.nobody[inode]; ok {
				continue
			}
			if s == nil {
				s = newSearch(f)
			}
			s.missing[inode] = struct{}{}
		}
	}
	return s
}

// first gives the owner of the first socket that has one. It is settled unless
// the answer depends on a socket that was not searched for yet.
func (f *Finder) first(inodes []uint64) (o owner, settled bool) {
	settled = true
	for _, inode := range inodes {
		if o, ok := f.owners[inode]; ok {
			return o, settled
		}
		if _, ok := f.nobody[inode]; !ok {
			settled = false
		}
	}
	return owner{}, settled
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
	maps.DeleteFunc(f.nobody, func(inode uint64, _ struct{}) bool { _, ok := keep[inode]; return !ok })
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
	if err := s.readAll(ctx, s.likely); err != nil || s.settled(wanted) {
		return err
	}
	pids, err := listPIDs(s.root)
	if err != nil {
		return err
	}
	if err := s.readAll(ctx, pids); err != nil {
		return err
	}
	for inode := range s.missing {
		if _, ok := s.owners[inode]; !ok {
			s.nobody[inode] = struct{}{}
		}
	}
	return nil
}

func (s *search) settled(wanted [][]uint64) bool {
	for _, inodes := range wanted {
		if _, ok := s.first(inodes); !ok {
			return false
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
	for link, inode := range socketLinks(s.root, pid) {
		if _, ok := s.missing[inode]; !ok {
			continue
		}
		if start == 0 {
			start = startTime(s.root, pid)
		}
		if known, ok := s.owners[inode]; !ok || start < known.start {
			s.owners[inode] = owner{pid: pid, start: start, link: link}
		}
	}
}

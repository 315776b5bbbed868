package owner

import (
	"cmp"
	"context"
	"errors"
	"io/fs"
	"slices"
)

// walk goes over the descriptors of all processes, in stages, of which each takes
// more and finds less than the one before. It may stop at any descriptor and go on
// in the next search.
type walk struct {
	asked map[uint64]struct{} // sockets that were missing when it began
	pids  []int               // processes that were there
	stage stage
	queue []int                     // processes still to be read in this stage
	later []int                     // those of stageOld
	big   []bigTable                // for stageRest
	at    struct{ next, found int } // in the first of big
}

type stage int

const (
	stageNew     stage = iota // the ends of tables, of processes that the walk before did not see
	stageOld                  // of the others
	stageThreads              // of tables that threads have for themselves
	stageRest                 // whole tables, the smallest first
	stageAgain                // processes that began since: one that ended may have left them its sockets
	stageDone
)

// bigTable is a table of which only the ends have been looked at.
type bigTable struct{ pid, tid, size int }

// smallTable is how large a table may be that is read at once.
const smallTable = lowFDs + 2*topFDs

// walkOn begins a walk, or goes on with one, if there is need and the budget
// allows it.
func (s *search) walkOn(ctx context.Context) error {
	need := s.need()
	if need == needNone || need == needNew && s.vain.left > 0 {
		s.walk = nil
		return nil
	}
	first, allowed := !s.walked, s.budget.allow(need == needNow)
	if allowed <= 0 && !first {
		return nil
	}
	if s.walk == nil || need == needNow && s.passedBy() {
		if err := s.beginWalk(); err != nil {
			return err
		}
	}
	start := s.budget.used()
	spent := func() bool {
		return ctx.Err() != nil || !first && s.budget.used()-start >= allowed
	}
	s.stages(spent)
	if !first {
		s.budget.left -= s.budget.used() - start
	}
	return context.Cause(ctx)
}

// passedBy reports whether a listener is missing that the walk under way was not
// begun for.
func (s *search) passedBy() bool {
	for inode, listener := range s.missing {
		_, asked := s.walk.asked[inode]
		_, found := s.owners[inode]
		if listener && !asked && !found {
			return true
		}
	}
	return false
}

func (s *search) beginWalk() error {
	pids, err := listPIDs(s.root)
	if err != nil {
		return err
	}
	w := &walk{asked: map[uint64]struct{}{}, pids: pids, queue: without(pids, s.listed)}
	w.later = without(pids, w.queue)
	for inode := range s.missing {
		w.asked[inode] = struct{}{}
	}
	s.walk, s.listed, s.refused = w, pids, hidden(pids)
	return nil
}

// without returns what is in all but not in some; both are ascending.
func without(all, some []int) []int {
	var rest []int
	for _, n := range all {
		if _, ok := slices.BinarySearch(some, n); !ok {
			rest = append(rest, n)
		}
	}
	return rest
}

// stages goes on until nothing is needed any more, the walk is done, or spent.
func (s *search) stages(spent func() bool) {
	w := s.walk
	for s.stageOn(spent) {
		s.askAncestors()
		w.stage++
		need := s.need()
		if need == needNew && w.stage == stageThreads && s.walked {
			// It may have been closed by now. If it was not, it is worth more at the
			// next call.
			s.vain = s.vain.longer()
			s.walk = nil
			return
		}
		if w.stage == stageDone {
			s.conclude()
		}
		if w.stage == stageDone || need == needNone {
			s.walk, s.walked, s.vain = nil, true, pause{}
			return
		}
		switch w.stage {
		case stageOld:
			w.queue = w.later
		case stageThreads:
			w.queue = w.pids
		case stageRest:
			slices.SortStableFunc(w.big, func(a, b bigTable) int { return cmp.Compare(a.size, b.size) })
		case stageAgain:
			if pids, err := listPIDs(s.root); err == nil { // as it could be when the walk began
				w.queue = without(pids, w.pids)
			}
		}
	}
}

// stageOn goes on with a stage and reports whether it is done.
func (s *search) stageOn(spent func() bool) (done bool) {
	w := s.walk
	for ; len(w.queue) > 0; w.queue = w.queue[1:] {
		if spent() {
			return false
		}
		if pid := w.queue[0]; w.stage == stageThreads {
			s.readThreads(pid, false)
		} else {
			s.readEnds(pid, 0)
		}
	}
	for w.stage == stageRest && len(w.big) > 0 {
		if spent() || !s.readBig(spent) {
			return false
		}
		w.big = w.big[1:]
		w.at.next, w.at.found = 0, 0
		if len(s.began) > 0 && s.need() == needNone {
			break
		}
	}
	return true
}

// readEnds reads a small table, and the ends of a big one.
func (s *search) readEnds(pid, tid int) {
	t, err := openTable(s.root, pid, tid)
	if err != nil {
		s.refused = s.refused || errors.Is(err, fs.ErrPermission) // otherwise it has ended
		return
	}
	defer t.close()
	p := &place{pid: pid, tid: tid}
	if t.size <= smallTable {
		t.stop = func() bool { return t.found > smallTable } // where the size is not known
		for fd, inode := range t.sockets() {
			s.found(p, fd, inode)
		}
		if tid == 0 && t.found == 0 && !t.refused {
			s.readThreads(pid, true)
		}
	} else {
		s.askEnds(p, t)
	}
	s.refused = s.refused || t.refused
	if t.size > smallTable || t.found > smallTable {
		s.walk.big = append(s.walk.big, bigTable{pid, tid, t.size})
	}
}

func (s *search) readThreads(pid int, leaderEmpty bool) {
	for _, tid := range threadTables(s.root, pid, leaderEmpty) {
		s.readEnds(pid, tid)
	}
}

// readBig goes on with the first of the big tables and reports whether it is done.
func (s *search) readBig(spent func() bool) (done bool) {
	w := s.walk
	t, err := openTable(s.root, w.big[0].pid, w.big[0].tid)
	if err != nil {
		return true // it has ended
	}
	defer t.close()
	t.stop, t.next, t.found = spent, w.at.next, w.at.found
	p := &place{pid: w.big[0].pid, tid: w.big[0].tid}
	for fd, inode := range t.sockets() {
		s.found(p, fd, inode)
	}
	w.at.next, w.at.found = t.next, t.found
	return !t.stopped
}

// conclude takes note of what a walk to the end has not found.
func (s *search) conclude() {
	for inode := range s.missing {
		_, found := s.owners[inode]
		if _, asked := s.walk.asked[inode]; asked && !found {
			s.nobody[inode] = s.nobody[inode].longer()
		}
	}
}

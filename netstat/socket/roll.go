package socket

import (
	"errors"
	"fmt"
	"math/bits"
	"path/filepath"
	"slices"
	"time"
)

// The kernel hands out a table in pieces, a datagram or a page at a time, and
// finds its place again by counting the sockets of the hash chain that it was in
// (net/ipv4/udp_diag.c, udp_dump; net/ipv4/tcp_diag.c, tcp_diag_dump), or those
// of the whole table (net/ipv4/udp.c, udp_get_idx). What was added before that
// place since makes it repeat as many sockets, what was removed makes it skip as
// many. Such a place is a seam here. Within a piece nothing is repeated or
// skipped, and sockets that stay keep their order, since new ones go to the front
// of their chain. Hence two rules make a listing exact:
//
//   - A socket that was listed before is a repeat.
//   - Nothing was skipped at a seam if the sockets on both sides of it stood next
//     to each other in an earlier listing that was complete. Otherwise the table
//     is read again, with its seams elsewhere, and a piece that has sockets of
//     both sides shows what there is between them.

// roll is the sockets of one listing by their identities, in the order of the
// listing, and where its seams are.
//
// Up to plain sockets it is no more than that, and looks for repeats where a piece
// begins, among the last of the sockets; from there on it has a hash table of them
// and looks for every socket. That costs several times as much.
type roll struct {
	ids   []uint64
	plain int
	back  int      // how many sockets back it looks while plain
	last  int      // if not 0, it stays plain, and keeps little more than so many of the last ids, and no seams
	n     int      // sockets that were entered, ids or not
	slots []uint32 // hash table of ids: an index, plus 1; none while plain, else a power of two of them
	shift uint8    // of a hash, to make an index of slots
	seams []int    // the indexes in ids before which there is one, ascending
	fresh bool     // a piece has begun, and nothing of it but repeats has been entered

	continues bool // it began with a repeat
}

const (
	minSlots = 256
	// nearby is how far apart the same socket may be in two listings, or a
	// repeat from the first: more than come to one chain between two pieces.
	nearby = 4096
	// hashMultiplier is 2 to the 64th by the golden ratio: it spreads the
	// cookies, which count up, over the upper bits.
	hashMultiplier = 0x9E3779B97F4A7C15
)

// reset empties the roll. It keeps the memory, unless the last listing used
// little of it.
func (r *roll) reset() {
	if cap(r.ids) > minSlots && len(r.ids) < cap(r.ids)/8 {
		r.ids, r.slots = nil, nil
	}
	r.ids, r.slots, r.seams, r.fresh = r.ids[:0], r.slots[:0], r.seams[:0], false
	r.continues, r.n = false, 0
}

// begin says that a piece begins.
func (r *roll) begin() { r.fresh, r.continues = true, false }

// enter takes in the next socket and reports whether it is a repeat. One without
// identity never is.
func (r *roll) enter(id uint64) (repeat bool) {
	n := len(r.ids)
	switch {
	case id == 0:
		return false
	case n >= r.plain && r.last == 0:
		repeat = r.index(id) >= 0
	case r.fresh:
		repeat = slices.Contains(r.ids[max(0, n-r.back):], id)
	}
	if repeat {
		r.continues = r.fresh
		return true
	}
	r.add(id)
	// A piece that begins with a repeat goes on where the last one ended.
	if r.fresh && n > 0 && !r.continues && r.last == 0 {
		r.seams = append(r.seams, n)
	}
	r.fresh, r.continues = false, false
	return false
}

// add appends id.
func (r *roll) add(id uint64) {
	r.n++
	if r.last > 0 && len(r.ids) >= 2*r.last {
		r.ids = r.ids[:copy(r.ids, r.ids[len(r.ids)-r.last:])]
	}
	r.ids = append(r.ids, id)
	if len(r.slots) == 0 {
		return
	}
	if len(r.slots) < 2*len(r.ids) {
		r.hash()
		return
	}
	slot, _ := r.find(id)
	r.slots[slot] = uint32(len(r.ids))
}

// index gives the place of id in ids, -1 where it is not there.
func (r *roll) index(id uint64) int {
	if len(r.slots) == 0 {
		r.hash()
	}
	_, i := r.find(id)
	return i
}

// hash makes the hash table anew, with room for as many again.
func (r *roll) hash() {
	size := max(minSlots, 1<<bits.Len(uint(4*len(r.ids))))
	if cap(r.slots) < size || cap(r.slots) > 8*size {
		r.slots = make([]uint32, size)
	}
	r.slots, r.shift = r.slots[:size], uint8(64-bits.Len(uint(size-1)))
	clear(r.slots)
	for i, id := range r.ids {
		slot, _ := r.find(id)
		r.slots[slot] = uint32(i + 1)
	}
}

// find gives the slot of id, and its place in ids, -1 where the slot is free.
func (r *roll) find(id uint64) (slot uint64, i int) {
	mask := uint64(len(r.slots) - 1)
	for slot = id * hashMultiplier >> r.shift; ; slot = (slot + 1) & mask {
		i := int(r.slots[slot]) - 1
		if i < 0 || r.ids[i] == id {
			return slot, i
		}
	}
}

// proves reports whether the listing of r, which is complete, shows that next
// lacks nothing at its seam before index i. It looks near the same place.
func (r *roll) proves(next *roll, i int) bool {
	from := max(0, min(i-1, len(r.ids))-nearby)
	p := i - 1
	if p >= len(r.ids) || r.ids[p] != next.ids[p] { // something has come or gone
		near := slices.Index(r.ids[from:min(from+2*nearby, len(r.ids))], next.ids[i-1])
		if near < 0 {
			return false
		}
		p = from + near
	}
	p++
	if i == len(next.ids) {
		return p == len(r.ids)
	}
	return p < len(r.ids) && r.ids[p] == next.ids[i]
}

// insert puts skipped sockets before index at, and moves the seams behind it.
func (r *roll) insert(at int, run []skipped) {
	ids := slices.Grow(r.ids, len(run))[:len(r.ids)+len(run)]
	copy(ids[at+len(run):], ids[at:])
	for i := range run {
		ids[at+i] = run[i].id
	}
	r.ids = ids
	for i, seam := range r.seams {
		if seam > at {
			r.seams[i] += len(run)
		}
	}
	r.hash()
}

// listings makes the listings of one table exact, each with the help of the one
// before.
type listings struct {
	now, before roll
	query       Query     // that before is of, without what does not choose sockets
	strict      bool      // take no proof but that nothing at all has changed
	piece       []skipped // of a table that is read again
	last        int       // where now has the socket before piece, or one of the next two
}

const (
	atStart = -1 // the piece is the first of the table
	nowhere = -2 // now does not have the socket before it
)

// skipped is a socket that a listing may lack.
type skipped struct {
	Socket
	id uint64
}

// reader reads a table once. It calls begin at the start of each piece, and each
// for every socket. nth counts from 0; the seams are to be elsewhere for each. full
// reports whether the last piece may have ended for lack of room.
type reader func(nth int, begin func(), each func(s *Socket, id uint64) error) (full bool, err error)

// What reading a table again may take, since chains can change for ever.
const (
	readings    = 8
	readingTime = 2 * time.Second // after which no other begins
)

// each calls fn once for each socket of the table. complete is false where some
// may be missing: even in the last reading the seams were where nothing near was
// the same as in the first.
func (l *listings) each(q Query, read reader, fn func(*Socket) error) (complete bool, err error) {
	l.begin(q)
	start := time.Now()
	full, err := read(0, l.now.begin, func(s *Socket, id uint64) error {
		if l.now.enter(id) {
			return nil
		}
		return fn(s)
	})
	if err != nil {
		return false, err
	}
	l.dropProven(full)
	for nth := 1; len(l.now.seams) > 0 && nth < readings && time.Since(start) < readingTime; nth++ {
		if err := l.again(nth, read, fn); err != nil {
			return false, err
		}
	}
	if len(l.now.seams) > 0 {
		return false, nil // the one before stays what to compare with
	}
	l.finish()
	return true, nil
}

// begin starts a listing. The one before it is of use only if it had the same
// sockets.
func (l *listings) begin(q Query) {
	p := l.query
	if p.States != q.States || p.Bound != q.Bound || p.LocalPorts != q.LocalPorts || p.RemotePorts != q.RemotePorts {
		l.before.reset()
	}
	l.query = q
	l.now.reset()
}

// finish makes a listing that is complete the one before.
func (l *listings) finish() { l.now, l.before = l.before, l.now }

// dropProven leaves the seams at which something may be missing. The end of the
// table is one too if the last piece was full: what was to come next may have
// been skipped.
func (l *listings) dropProven(full bool) {
	n := &l.now
	if full && len(n.ids) > 0 {
		n.seams = append(n.seams, len(n.ids))
	}
	switch {
	case !l.strict:
		n.seams = slices.DeleteFunc(n.seams, func(i int) bool { return l.before.proves(n, i) })
	case slices.Equal(n.ids, l.before.ids):
		n.seams = n.seams[:0]
	}
}

// again reads the table once more, calls fn for what was skipped at the seams
// that are left, and drops those about which it has told all.
func (l *listings) again(nth int, read reader, fn func(*Socket) error) error {
	l.piece, l.last = l.piece[:0], nowhere
	pieces := 0
	var failed error // of fn, in a call that cannot tell
	begin := func() {
		failed = errors.Join(failed, l.join(nowhere, fn))
		l.last = nowhere
		if pieces == 0 {
			l.last = atStart
		}
		pieces++
	}
	full, err := read(nth, begin, func(s *Socket, id uint64) error {
		if failed != nil || id == 0 {
			return failed
		}
		i := l.now.index(id)
		if i < 0 {
			l.piece = append(l.piece, skipped{*s, id})
			return nil
		}
		n := len(l.now.ids)
		err := l.join(i, fn)
		l.last = i + len(l.now.ids) - n
		return err
	})
	if err = errors.Join(err, failed); err != nil {
		return err
	}
	next := nowhere
	if !full {
		next = len(l.now.ids)
	}
	return l.join(next, fn)
}

// join has l.piece, sockets that a piece has one after the other and l.now lacks.
// They stand between the sockets that l.now has at l.last and at next, of which one
// may be nowhere, where the piece began or ended. If there is a seam, they were
// skipped at it, and nothing else was if both sides are known. If there is none,
// they are new.
func (l *listings) join(next int, fn func(*Socket) error) error {
	run, last, n := l.piece, l.last, &l.now
	l.piece = l.piece[:0]
	at, closed := nowhere, last != nowhere && next != nowhere
	switch {
	case closed:
		n.seams = slices.DeleteFunc(n.seams, func(seam int) bool {
			between := last < seam && seam <= next
			if between {
				at = seam
			}
			return between
		})
	case slices.Contains(n.seams, last+1):
		at = last + 1
	case slices.Contains(n.seams, next):
		at = next
	}
	if at == nowhere || len(run) == 0 {
		return nil
	}
	for i := range run {
		if err := fn(&run[i].Socket); err != nil {
			return stopped(err)
		}
	}
	n.insert(at, run)
	if !closed && at == last+1 { // what else was skipped comes after them
		n.seams[slices.Index(n.seams, at)] += len(run)
	}
	return nil
}

// incomplete says that listings may lack sockets, not more than once an hour.
type incomplete struct {
	warn  func(string) // may be nil
	dir   string       // where the tables are files; "" where they are not
	said  time.Time
	count int // listings
}

func (i *incomplete) say(t Table, listed int) {
	i.count++
	if i.warn == nil || !i.said.IsZero() && time.Since(i.said) < time.Hour {
		return
	}
	i.said = time.Now()
	name := "table " + t.String()
	if i.dir != "" {
		name = filepath.Join(i.dir, t.String())
	}
	i.warn(fmt.Sprintf("a few sockets of %s may be missing beside the %d that were counted: "+
		"others come and go in the same hash chain of the kernel faster than it can be listed", name, listed))
}

package connstat

import (
	"bytes"
	"container/heap"
	"slices"
)

// sorter keeps rows, as they are to be written, in the order of a field: all
// rows, or the first few.
type sorter struct {
	field *Field
	top   int // 0 for all
	rows  []sortedRow
	key   []byte
	seen  int
}

type sortedRow struct {
	known  bool
	number uint64
	text   []byte
	seen   int // rows of one value stay as they came
	line   []byte
}

func newSorter(field *Field, top int) *sorter {
	if field == nil {
		return nil
	}
	return &sorter{field: field, top: top}
}

// add keeps a row, if it is one of the first. line makes its text.
func (s *sorter) add(r *row, line func([]byte) []byte) {
	s.seen++
	next := sortedRow{seen: s.seen}
	if s.field.isNumber() {
		next.number, next.known = s.field.get(r)
	} else {
		s.key = s.field.appendValue(s.key[:0], r)
		next.text, next.known = s.key, len(s.key) > 0
	}
	full := s.top > 0 && len(s.rows) == s.top
	if full && !before(&next, &s.rows[0]) {
		return
	}
	var memory []byte // of the row that has to go
	if full {
		memory = s.rows[0].line[:0]
	}
	next.text = bytes.Clone(next.text)
	next.line = line(memory)
	switch {
	case full:
		s.rows[0] = next
		heap.Fix(s, 0)
	case s.top > 0:
		heap.Push(s, next)
	default:
		s.rows = append(s.rows, next)
	}
}

// lines gives the rows in order.
func (s *sorter) lines() [][]byte {
	slices.SortFunc(s.rows, func(a, b sortedRow) int {
		if before(&a, &b) {
			return -1
		}
		return 1
	})
	lines := make([][]byte, len(s.rows))
	for i := range s.rows {
		lines[i] = s.rows[i].line
	}
	return lines
}

// before reports whether a comes before b, which is never the same row.
func before(a, b *sortedRow) bool {
	switch {
	case a.known != b.known:
		return a.known
	case a.number != b.number:
		return a.number > b.number
	}
	if c := bytes.Compare(a.text, b.text); c != 0 {
		return c < 0
	}
	return a.seen < b.seen
}

// The heap has the row at its root that is the first to go.

func (s *sorter) Len() int           { return len(s.rows) }
func (s *sorter) Less(i, j int) bool { return before(&s.rows[j], &s.rows[i]) }
func (s *sorter) Swap(i, j int)      { s.rows[i], s.rows[j] = s.rows[j], s.rows[i] }
func (s *sorter) Push(x any)         { s.rows = append(s.rows, x.(sortedRow)) }
func (s *sorter) Pop() any {
	last := s.rows[len(s.rows)-1]
	s.rows = s.rows[:len(s.rows)-1]
	return last
}

package socket

import "testing"

// TestRollLast has a roll that keeps little: it knows the last sockets again where a
// piece begins, and its memory does not grow.
func TestRollLast(t *testing.T) {
	t.Parallel()
	const pieces, each, last = 1000, 100, 16
	r := roll{back: last, last: last}
	r.reset()
	for p := range pieces {
		r.begin()
		first := uint64(p*each + 1)
		for id := max(1, int(first)-3); id < int(first)+each; id++ { // the last three come again
			if repeat := r.enter(uint64(id)); repeat != (uint64(id) < first) {
				t.Fatalf("piece %d: socket %d is a repeat: %t", p, id, repeat)
			}
		}
	}
	if r.n != pieces*each || cap(r.ids) > minSlots || len(r.seams) > 0 {
		t.Errorf("%d sockets were entered, want %d; there is room for %d, and %d seams", r.n, pieces*each, cap(r.ids), len(r.seams))
	}
}

package emit

import (
	"slices"
	"sync"
)

// batch is what one Write is given, ready to be sent.
type batch struct {
	body    []byte
	metrics int
}

// buffer holds the batches that are still to be delivered, oldest first.
type buffer struct {
	limit int // of metrics

	mu      sync.Mutex
	batches []batch
	metrics int
	taken   bool // the oldest is under way
}

// add appends a batch. To keep within the limit it drops the oldest, and tells
// how many metrics they had. The newest stays even if it alone is above the
// limit; so does the one under way: the server may be about to take it, and then
// dropping it would be no loss to report.
func (b *buffer) add(newest batch) (dropped int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.batches = append(b.batches, newest)
	b.metrics += newest.metrics

	first := 0
	if b.taken {
		first = 1
	}
	end := first
	for b.metrics > b.limit && end < len(b.batches)-1 {
		dropped += b.batches[end].metrics
		b.metrics -= b.batches[end].metrics
		end++
	}
	b.batches = slices.Delete(b.batches, first, end)
	return dropped
}

// take gives the oldest batch, which stays in its place until remove or putBack.
func (b *buffer) take() (oldest batch, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.batches) == 0 {
		return batch{}, false
	}
	b.taken = true
	return b.batches[0], true
}

// remove removes the batch that was taken.
func (b *buffer) remove() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken = false
	b.metrics -= b.batches[0].metrics
	b.batches = slices.Delete(b.batches, 0, 1)
}

// putBack leaves the batch that was taken to be taken again, or dropped.
func (b *buffer) putBack() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken = false
}

// waiting is the number of metrics in the buffer.
func (b *buffer) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.metrics
}

package emit

import (
	"bytes"
	"slices"
	"sync"
)

// batch is what one Write is given, or a part of that, ready to be sent.
type batch struct {
	body []byte // as the sink packs it
	ends []int  // where in the text each of the metrics ends
}

func (b batch) metrics() int { return len(b.ends) }

// halves returns two batches that together have the batch's metrics, of which
// there are two or more.
func (b batch) halves(s sink) ([2]batch, error) {
	text, err := s.unpack(b.body)
	if err != nil {
		return [2]batch{}, err
	}
	half := len(b.ends) / 2
	at := b.ends[half-1]
	ends := slices.Clone(b.ends[half:])
	for i := range ends {
		ends[i] -= at
	}
	return [2]batch{
		{s.pack(text[:at]), slices.Clone(b.ends[:half])},
		{s.pack(bytes.Clone(text[at:])), ends},
	}, nil
}

// buffer holds the batches that are still to be delivered, oldest first.
type buffer struct {
	limit int // of metrics

	mu      sync.Mutex
	batches []batch
	metrics int
	taken   bool // the oldest is under way
}

// add appends a batch. To keep within the limit it drops the oldest, and returns
// how many metrics they had. The newest stays even if it alone is above the
// limit; so does the one under way: it may be about to be taken, and then
// dropping it would be no loss to report.
func (b *buffer) add(newest batch) (dropped int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.batches = append(b.batches, newest)
	b.metrics += newest.metrics()

	first := 0
	if b.taken {
		first = 1
	}
	end := first
	for b.metrics > b.limit && end < len(b.batches)-1 {
		dropped += b.batches[end].metrics()
		b.metrics -= b.batches[end].metrics()
		end++
	}
	b.batches = slices.Delete(b.batches, first, end)
	return dropped
}

// take returns the oldest batch, which stays in its place until remove, replace
// or putBack.
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
func (b *buffer) remove() { b.replace() }

// replace puts others, which have no more metrics, in the place of the batch that
// was taken.
func (b *buffer) replace(others ...batch) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken = false
	b.metrics -= b.batches[0].metrics()
	for _, o := range others {
		b.metrics += o.metrics()
	}
	b.batches = slices.Replace(b.batches, 0, 1, others...)
}

// putBack leaves the batch that was taken to be taken again, or dropped unless it
// is to stay.
func (b *buffer) putBack(stays bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken = stays
}

// clear removes all batches.
func (b *buffer) clear() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.taken = false
	b.metrics, b.batches = 0, nil
}

// waiting is the number of metrics in the buffer.
func (b *buffer) waiting() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.metrics
}

package emit

import (
	"context"
	"errors"

	"github.com/l4stat/l4stat/netstat/metric"
)

// Output is where metrics go. Its methods must not be called by two goroutines
// at once.
//
// # Delivery
//
// Write encodes the metrics and returns; it never waits for the place they go
// to. A goroutine of the Output's delivers them, in the order of the Writes. When
// the place does not take them, because a disk is full, a server is away or
// nobody reads a pipe, they are kept and tried again at growing intervals of up
// to 30 s. At most [Options].BufferLimit metrics are kept; beyond that the oldest
// are dropped.
//
// # Close
//
// Close tries at once to deliver what is kept, and gives up at the first failure
// or when its context ends. Its error counts the metrics that were not delivered
// and why, other than those whose loss Options.Warn was told. A write that blocks
// cannot always be taken back: the goroutine of a stream that nobody reads is
// left behind.
type Output interface {
	// Write hands over the metrics of one Gather. The error is about those that
	// cannot be encoded; it is os.ErrClosed after Close.
	Write(ctx context.Context, metrics []metric.Metric) error
	// Close delivers what is still to be delivered and frees what is held.
	Close(ctx context.Context) error
}

// DefaultBufferLimit is how many metrics an Output keeps for later unless
// [Options] say otherwise.
const DefaultBufferLimit = 10000

// Options are what may be chosen of every Output. The zero value is usable.
type Options struct {
	// BufferLimit is how many metrics are kept while they cannot be delivered; 0
	// is DefaultBufferLimit. When there are more, the oldest batches are dropped
	// whole, though neither the newest batch nor one that is under way.
	BufferLimit int
	// Warn is told, in one line, when metrics cannot be delivered, when they can
	// again and what was dropped: a line for each change, not for each attempt, and
	// no more than a few in a minute. What is left out then is told later. It is
	// not called twice at once, nor once Close is called: Close tells the rest.
	// With nil, Close tells all.
	Warn func(message string)
	// Ended, if not nil, is called once, from a goroutine of the Output's, when the
	// place is gone for good, as when what reads a stream has gone away. What was
	// not delivered by then is dropped, and Write returns [ErrReaderGone].
	Ended func()
}

// ErrReaderGone is the error of an Output whose reader has gone away.
var ErrReaderGone = errors.New("what reads it has gone away")

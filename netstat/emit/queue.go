package emit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"time"

	"github.com/l4stat/l4stat/netstat/metric"
)

const (
	// minDelay and maxDelay are between attempts; each is twice the one before,
	// less up to a half at random so that many hosts do not come back at once.
	minDelay = 500 * time.Millisecond
	maxDelay = 30 * time.Second
	// patience is how long a delivery may take until it is said that it does; more
	// than requestTimeout, whose error says more.
	patience = 15 * time.Second
	// leaveBehind is how long Close waits for a delivery that it called off.
	leaveBehind = 500 * time.Millisecond
)

var errBlocked = fmt.Errorf("nothing was taken for %v", patience)

// sink is the place where a queue delivers. Its methods are called one at a time,
// by the queue's goroutine, but for pack.
type sink interface {
	// pack returns what is kept of a batch and sent, and unpack the text of that.
	// Neither keeps its argument. Write calls pack too, on its goroutine.
	pack(text []byte) []byte
	unpack(packed []byte) ([]byte, error)
	// send delivers a batch, unless ctx ends. A *failure says what is to become of
	// the batch; after any other error it is tried again.
	send(ctx context.Context, b batch) error
	// close frees what is held. It is called after the last send.
	close() error
}

// plain is for sinks that send the text as it is.
type plain struct{}

func (plain) pack(text []byte) []byte              { return bytes.Clone(text) }
func (plain) unpack(packed []byte) ([]byte, error) { return packed, nil }

// verdict is what is to become of a batch that was not delivered.
type verdict int

const (
	again   verdict = iota // keep it and try again
	started                // likewise; it must not be dropped, since a part of it is delivered
	drop                   // it is refused and will be
	halve                  // it is too large: try its halves
	end                    // neither it nor any other can be delivered, ever
)

// failure is an error of a sink.
type failure struct {
	error
	verdict verdict
	after   time.Duration // how long not to try again
}

func (f *failure) Unwrap() error { return f.error }

// queue is an Output that keeps what its sink does not take. Write and Close are
// called by the Output's user; all that waits is in run, on its own goroutine.
type queue struct {
	sink    sink
	enc     *Encoder
	text    []byte // reused by Write
	buffer  buffer
	notices notices
	ended   func()

	filled  chan struct{} // holds a token when the buffer was filled
	closing chan struct{} // closed by Close: nothing more comes, do not wait
	gone    chan struct{} // closed by run when the place is gone for good
	done    chan struct{} // closed when run has ended
	closed  bool

	closeErr error // of the sink; to be read once done is closed

	ctx    context.Context // of the deliveries
	cancel context.CancelCauseFunc
}

// newQueue returns an Output that delivers to s, which messages call name. Until
// start nothing is delivered.
func newQueue(name string, enc *Encoder, o Options) (*queue, error) {
	if o.BufferLimit < 0 {
		return nil, fmt.Errorf("a buffer limit of %d metrics: give a number above zero", o.BufferLimit)
	}
	if o.BufferLimit == 0 {
		o.BufferLimit = DefaultBufferLimit
	}
	q := &queue{
		enc:     enc,
		buffer:  buffer{limit: o.BufferLimit},
		notices: newNotices(name, o),
		ended:   o.Ended,
		filled:  make(chan struct{}, 1),
		closing: make(chan struct{}),
		gone:    make(chan struct{}),
		done:    make(chan struct{}),
	}
	q.ctx, q.cancel = context.WithCancelCause(context.Background())
	return q, nil
}

func (q *queue) start(s sink) *queue {
	q.sink = s
	go q.run()
	return q
}

func (q *queue) Write(_ context.Context, metrics []metric.Metric) error {
	if q.closed {
		return os.ErrClosed
	}
	if isClosed(q.gone) {
		return ErrReaderGone
	}
	b, err := q.encode(metrics)
	if b.metrics() == 0 {
		return err
	}
	if dropped := q.buffer.add(b); dropped > 0 {
		q.notices.overran(dropped)
	}
	select {
	case q.filled <- struct{}{}:
	default: // run has not yet seen that of before
	}
	return err
}

// encode returns a batch of those metrics that can be encoded; the error names
// the others.
func (q *queue) encode(metrics []metric.Metric) (batch, error) {
	var b batch
	var errs []error
	text := q.text[:0]
	for i := range metrics {
		var err error
		if text, err = q.enc.Append(text, metrics[i:i+1]); err != nil {
			errs = append(errs, err)
			continue
		}
		b.ends = append(b.ends, len(text))
	}
	q.text = text
	if b.metrics() > 0 {
		b.body = q.sink.pack(text)
	}
	return b, errors.Join(errs...)
}

func (q *queue) Close(ctx context.Context) error {
	if q.closed {
		return nil
	}
	q.closed = true
	q.notices.stop()
	close(q.closing)
	stop := context.AfterFunc(ctx, func() { q.cancel(context.Cause(ctx)) })
	defer stop()
	select {
	case <-q.done:
	case <-ctx.Done():
		wait := time.NewTimer(leaveBehind)
		defer wait.Stop()
		select {
		case <-q.done:
		case <-wait.C:
			return q.notices.undelivered(q.buffer.waiting(), context.Cause(ctx))
		}
	}
	gaveUp := context.Cause(q.ctx)
	q.cancel(nil)
	return errors.Join(q.notices.undelivered(q.buffer.waiting(), gaveUp), q.closeErr)
}

// run delivers what is in the buffer, oldest first, until Close is called and
// what is left then was tried, or the place is gone.
func (q *queue) run() {
	defer func() {
		q.closeErr = q.sink.close()
		close(q.done)
	}()
	failures := 0 // in a row
	for {
		last := isClosed(q.closing) // before the attempt, which begins after Close then
		b, ok := q.buffer.take()
		if !ok {
			if last {
				return
			}
			select {
			case <-q.filled:
			case <-q.closing:
			}
			continue
		}
		err := q.send(b)
		wait, verdict := time.Duration(0), again
		var f *failure
		if errors.As(err, &f) {
			wait, verdict = f.after, f.verdict
		}
		switch {
		case err == nil:
			failures = 0
			q.buffer.remove()
			q.notices.delivered(b.metrics(), q.buffer.waiting())
			continue
		case verdict == halve && b.metrics() > 1:
			halves, splitErr := b.halves(q.sink)
			if splitErr == nil {
				q.buffer.replace(halves[:]...)
				continue
			}
			err = errors.Join(err, splitErr)
			fallthrough
		case verdict == drop, verdict == halve:
			failures = 0
			q.buffer.remove()
			q.notices.refused(b.metrics(), err)
			continue
		case verdict == end:
			q.buffer.clear()
			close(q.gone)
			if q.ended != nil {
				q.ended()
			}
			return
		}
		q.buffer.putBack(verdict == started)
		if q.ctx.Err() == nil { // else it says no more than that Close gave up
			q.notices.failed(err)
		}
		if last {
			return
		}
		q.rest(max(wait, delay(failures)))
		failures++
	}
}

// send delivers a batch and tells when that takes long.
func (q *queue) send(b batch) error {
	slow := time.AfterFunc(patience, func() { q.notices.failed(errBlocked) })
	defer slow.Stop()
	return q.sink.send(q.ctx, b)
}

// rest waits, unless Close is called.
func (q *queue) rest(d time.Duration) {
	wait := time.NewTimer(d)
	defer wait.Stop()
	select {
	case <-wait.C:
	case <-q.closing:
	}
}

// delay returns how long to wait after so many failures before the last.
func delay(failures int) time.Duration {
	d := min(minDelay<<min(failures, 10), maxDelay)
	return d - rand.N(d/2)
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

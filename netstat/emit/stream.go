package emit

import (
	"context"
	"errors"
	"io"
	"syscall"
)

// NewStream makes an Output that writes each Gather to w with one Write; messages
// call it name. A write that was cut short goes on where it was cut. The Output
// has ended, as [Options].Ended says, when w's error is EPIPE. It does not close w.
func NewStream(name string, w io.Writer, enc *Encoder, o Options) (Output, error) {
	q, err := newQueue(name, enc, o)
	if err != nil {
		return nil, err
	}
	return q.start(&stream{w: w}), nil
}

// stream writes to what cannot take back what was written.
type stream struct {
	plain
	w       io.Writer
	written int // of the batch that is under way
}

func (s *stream) send(_ context.Context, b batch) error {
	err := s.write(b)
	if errors.Is(err, syscall.EPIPE) {
		return &failure{error: err, verdict: end}
	}
	return err
}

// write writes what was not yet written of the batch.
func (s *stream) write(b batch) error {
	n, err := s.w.Write(b.body[s.written:])
	s.written += n
	switch {
	case err == nil && s.written == len(b.body):
		s.written = 0
		return nil
	case err == nil:
		err = io.ErrShortWrite
	}
	if s.written > 0 {
		return &failure{error: err, verdict: started}
	}
	return err
}

func (*stream) close() error { return nil }

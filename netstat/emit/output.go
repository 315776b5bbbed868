package emit

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/l4stat/l4stat/netstat"
)

// Output is where metrics go. Its methods must not be called by two goroutines
// at once.
type Output interface {
	// Write delivers the metrics of one Gather, in order. An error concerns
	// these; the next Write may succeed.
	Write(ctx context.Context, metrics []netstat.Metric) error
	// Close delivers what is still to be delivered and frees what is held.
	Close(ctx context.Context) error
}

// stream writes to an io.Writer.
type stream struct {
	w   io.Writer
	enc *Encoder
	buf []byte
}

// NewStream makes an Output that writes each Gather to w with one Write. It
// does not close w.
func NewStream(w io.Writer, enc *Encoder) Output { return &stream{w: w, enc: enc} }

func (s *stream) Write(_ context.Context, metrics []netstat.Metric) error {
	text, encErr := s.enc.Append(s.buf[:0], metrics)
	s.buf = text
	if _, err := s.w.Write(text); err != nil {
		return err
	}
	return encErr
}

func (*stream) Close(context.Context) error { return nil }

// file appends to a file.
type file struct {
	path string
	f    *os.File
	stream
	torn bool // the last line is incomplete
}

// NewFile makes an Output that appends to the file at path, which is made if it
// does not exist. When the file is moved away or removed, as programs that
// rotate logs do, the next Write makes a new one.
func NewFile(path string, enc *Encoder) (Output, error) {
	f := &file{path: path, stream: stream{enc: enc}}
	if err := f.open(); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *file) open() error {
	opened, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err // names the file
	}
	f.f, f.w, f.torn = opened, (*wholeLines)(f), false
	return nil
}

func (f *file) Write(ctx context.Context, metrics []netstat.Metric) error {
	if f.moved() {
		old := f.f
		if err := f.open(); err != nil {
			return err
		}
		if err := old.Close(); err != nil {
			return fmt.Errorf("close the file that was at %s: %w", f.path, err)
		}
	}
	return f.stream.Write(ctx, metrics)
}

// moved reports whether path is no longer the file that is open.
func (f *file) moved() bool {
	now, err := os.Stat(f.path)
	if err != nil {
		return os.IsNotExist(err)
	}
	open, err := f.f.Stat()
	return err == nil && !os.SameFile(now, open)
}

func (f *file) Close(context.Context) error { return f.f.Close() }

// wholeLines writes to the file such that what follows a write that was cut
// short, by a full disk for one, starts a new line.
type wholeLines file

func (w *wholeLines) Write(text []byte) (int, error) {
	if w.torn {
		if _, err := w.f.Write([]byte("\n")); err != nil {
			return 0, err
		}
		w.torn = false
	}
	n, err := w.f.Write(text)
	w.torn = n > 0 && n < len(text)
	return n, err
}

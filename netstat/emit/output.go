package emit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
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
	w    io.Writer
	enc  *Encoder
	buf  []byte
	torn bool // a write was cut short, by a full disk for one, in mid-line
}

// NewStream makes an Output that writes each Gather to w with one Write. It
// does not close w.
func NewStream(w io.Writer, enc *Encoder) Output { return &stream{w: w, enc: enc} }

func (s *stream) Write(_ context.Context, metrics []netstat.Metric) error {
	start := s.buf[:0]
	if s.torn {
		start = append(start, '\n')
	}
	text, encErr := s.enc.Append(start, metrics)
	s.buf = text
	n, err := s.w.Write(text)
	if n > 0 {
		s.torn = n < len(text)
	}
	if err != nil {
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
	f.f, f.w, f.torn = opened, wholeLines{opened}, endsInMidLine(f.path)
	return nil
}

// endsInMidLine reports whether the file's last line is incomplete, as it is
// when the machine went down during a write. A file that cannot be read or is no
// file, but a pipe for one, is taken to be whole.
func endsInMidLine(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Size() == 0 {
		return false
	}
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer f.Close()
	var last [1]byte
	_, err = f.ReadAt(last[:], info.Size()-1)
	return err == nil && last[0] != '\n'
}

func (f *file) Write(ctx context.Context, metrics []netstat.Metric) error {
	var closeErr error
	if f.moved() {
		old := f.f
		if err := f.open(); err != nil {
			return err
		}
		if err := old.Close(); err != nil {
			closeErr = fmt.Errorf("close the file that was at %s: %w", f.path, err)
		}
	}
	return errors.Join(f.stream.Write(ctx, metrics), closeErr)
}

// moved reports whether path is no longer the file that is open.
func (f *file) moved() bool {
	now, err := os.Stat(f.path)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	open, err := f.f.Stat()
	return err == nil && !os.SameFile(now, open)
}

func (f *file) Close(context.Context) error { return f.f.Close() }

// wholeLines takes back what a write that was cut short wrote, where it can: a
// part of a line may read as another, for half of a time is a time.
type wholeLines struct{ f *os.File }

func (w wholeLines) Write(text []byte) (int, error) {
	before, statErr := w.f.Stat()
	n, err := w.f.Write(text)
	if n > 0 && n < len(text) && statErr == nil && before.Mode().IsRegular() && w.f.Truncate(before.Size()) == nil {
		n = 0
	}
	return n, err
}

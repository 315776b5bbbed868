package emit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"
)

// NewFile makes an Output that appends to the file at path, which is made if it
// does not exist. When the file is moved away or removed, as programs that
// rotate logs do, the next Gather goes to a new one.
//
// # Whole lines
//
// The file has whole lines as long as all its writers are Outputs: each holds the
// file's lock (flock, where there is one) while it writes, and takes back what a
// full disk left of a write. The rest of a line that a killed process or a power
// cut left at the end of the file is removed before anything is appended, and
// Warn is told. Only what begins as a line of this package's metrics is removed;
// any other last line is completed.
//
// # Pipes
//
// At a FIFO that nobody has open for reading, metrics are kept until somebody
// has. Other errors in opening the file are NewFile's.
func NewFile(path string, enc *Encoder, o Options) (Output, error) {
	q, err := newQueue(path, enc, o)
	if err != nil {
		return nil, err
	}
	f := &file{path: path, tell: q.notices.note}
	if err := f.open(); err != nil && !errors.Is(err, errNoReader) {
		return nil, err
	}
	return q.start(f), nil
}

// errNoReader is for a FIFO.
var errNoReader = errors.New("it is a pipe that nobody reads")

// file appends to a file, or writes to a pipe or a device of that name.
type file struct {
	plain
	path    string
	tell    func(message string)
	f       *os.File // nil while it cannot be opened
	r       *os.File // reads it; nil unless it is a regular file that may be read
	regular bool
	stream  stream // for others than regular files
}

// open opens what is at path, without waiting for a FIFO's reader.
func (f *file) open() error {
	opened, err := os.OpenFile(f.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY|nonblock, 0o644)
	if err != nil {
		if info, statErr := os.Stat(f.path); errors.Is(err, syscall.ENXIO) && statErr == nil && info.Mode()&fs.ModeNamedPipe != 0 {
			return fmt.Errorf("open %s: %w", f.path, errNoReader)
		}
		return err // names the file
	}
	info, err := opened.Stat()
	if err != nil {
		return errors.Join(err, opened.Close())
	}
	f.f, f.r, f.regular = opened, nil, info.Mode().IsRegular()
	f.stream = stream{w: opened}
	if f.regular {
		f.r = reader(f.path, info)
	}
	return nil
}

// reader opens the file for reading; nil if it cannot be, or is another by now.
func reader(path string, is os.FileInfo) *os.File {
	r, err := os.OpenFile(path, os.O_RDONLY|nonblock, 0)
	if err != nil {
		return nil
	}
	if info, err := r.Stat(); err != nil || !os.SameFile(info, is) {
		_ = r.Close() // nothing was written by it
		return nil
	}
	return r
}

func (f *file) send(ctx context.Context, b batch) error {
	if err := f.reopen(); err != nil {
		return err
	}
	if f.regular {
		return f.append(b.body)
	}
	// Of a pipe or a device that can wait, Close ends the wait.
	stop := context.AfterFunc(ctx, func() { _ = f.f.SetWriteDeadline(time.Unix(1, 0)) })
	defer stop()
	err := f.stream.write(b)
	if errors.Is(err, syscall.EPIPE) {
		f.stream.written = 0 // the next reader has not seen what this one has
		return fmt.Errorf("write %s: %w", f.path, errNoReader)
	}
	return err
}

// reopen opens path unless it is what is open.
func (f *file) reopen() error {
	if f.f != nil && !f.moved() {
		return nil
	}
	if err := f.close(); err != nil {
		return fmt.Errorf("close the file that was at %s: %w", f.path, err)
	}
	return f.open()
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

// append appends text as a whole, or nothing: a part of a line may read as
// another, for half of a time is a time.
func (f *file) append(text []byte) error {
	locked, unlock := lock(f.f)
	defer unlock()
	if locked { // else the line that ends the file may be being written
		if err := f.mend(); err != nil {
			return err
		}
	}
	before, err := f.f.Stat()
	if err != nil {
		return err
	}
	n, err := f.f.Write(text)
	if n > 0 && n < len(text) && locked {
		_ = f.f.Truncate(before.Size()) // if that fails, the next append mends it
	}
	return err
}

// lineStart is how a line begins that is written here: all measurements have
// names that begin so.
const lineStart = "netstat"

// torn makes any part of a line one that nobody takes for a whole: a second quote
// ends what one may have begun, and neither a name, a number nor a time has any.
const torn = `"" torn` + "\n"

// mend has the file end with a whole line.
func (f *file) mend() error {
	if f.r == nil {
		return nil
	}
	info, err := f.f.Stat()
	if err != nil {
		return err
	}
	tail, err := lastLine(f.r, info.Size())
	if err != nil || len(tail) == 0 {
		return err
	}
	if text := string(tail); !strings.HasPrefix(text, lineStart) && !strings.HasPrefix(lineStart, text) {
		_, err = f.f.WriteString("\n") // it is not ours to judge
		return err
	}
	if f.f.Truncate(info.Size()-int64(len(tail))) == nil {
		f.tell(fmt.Sprintf("ended in the middle of a line, %d bytes of which were removed", len(tail)))
		return nil
	}
	_, err = f.f.WriteString(torn) // it may only be appended to
	return err
}

// longestLine is how much of a last line is looked at, in bytes.
const longestLine = 1 << 16

// lastLine returns what follows the last line break of a file of that size; of
// more than longestLine bytes only the end, and of an empty file nothing.
func lastLine(r io.ReaderAt, size int64) ([]byte, error) {
	if size == 0 {
		return nil, nil
	}
	var last [1]byte
	if _, err := r.ReadAt(last[:], size-1); err != nil && err != io.EOF || last[0] == '\n' {
		return nil, err
	}
	text := make([]byte, min(size, longestLine))
	if _, err := r.ReadAt(text, size-int64(len(text))); err != nil && err != io.EOF {
		return nil, err
	}
	return text[bytes.LastIndexByte(text, '\n')+1:], nil
}

func (f *file) close() error {
	if f.f == nil {
		return nil
	}
	if f.r != nil {
		_ = f.r.Close() // nothing was written by it
	}
	err := f.f.Close()
	f.f, f.r = nil, nil
	return err
}

// Package smallfile reads the small files that people name in a flag or a
// variable: a configuration, a token. Whatever the path turns out to be, reading
// it ends soon and takes little memory.
package smallfile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"syscall"
	"time"
)

// patience is how long a pipe may take to deliver its text.
var patience = 5 * time.Second

// Read returns the text of a file of at most limit bytes. It also reads a pipe
// that somebody writes to, such as the shell's <(command), for a few seconds at
// most. A directory, a device, a longer file or a pipe without a writer is an
// error, an [*fs.PathError] that names the path.
func Read(path string, limit int64) ([]byte, error) {
	flag := os.O_RDONLY
	if runtime.GOOS != "windows" {
		flag |= syscall.O_NONBLOCK // opening a FIFO would wait for its writer
	}
	f, err := os.OpenFile(path, flag, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := read(f, limit)
	if err != nil {
		var inner *fs.PathError
		if errors.As(err, &inner) {
			err = inner.Err
		}
		return nil, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	return text, nil
}

func read(f *os.File, limit int64) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	mode := info.Mode()
	pipe := mode&fs.ModeNamedPipe != 0
	switch {
	case mode.IsDir():
		return nil, errors.New("this is a directory; name a file in it")
	case !mode.IsRegular() && !pipe:
		return nil, errors.New("this is not a file but a device; name a file")
	}
	// Most files cannot wait; pipes and some of procfs can.
	if err := f.SetReadDeadline(time.Now().Add(patience)); err != nil && !errors.Is(err, os.ErrNoDeadline) {
		return nil, err
	}
	text, err := io.ReadAll(io.LimitReader(f, limit+1))
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, fmt.Errorf("its end did not come within %v", patience)
	case err != nil:
		return nil, err
	case int64(len(text)) > limit:
		return nil, TooLong(limit)
	case pipe && len(text) == 0:
		return nil, errors.New("this is a pipe that nobody writes to; name a file")
	}
	return text, nil
}

// TooLong is the error for a text of more than limit bytes.
func TooLong(limit int64) error {
	return fmt.Errorf("longer than %d bytes, which is the limit", limit)
}

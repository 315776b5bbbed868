//go:build unix

package smallfile

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestReadDevice(t *testing.T) {
	t.Parallel()
	checkRead(t, "/dev/zero", 1000, "", "device")
}

func fifo(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadFIFOWithoutWriter(t *testing.T) {
	t.Parallel()
	checkRead(t, fifo(t), 1000, "", "nobody writes")
}

// A writer that writes nothing, or never ends, does not keep the reader. Not
// parallel: it changes patience.
func TestReadStuckPipe(t *testing.T) {
	defer func(was time.Duration) { patience = was }(patience)
	patience = 50 * time.Millisecond
	path := fifo(t)
	f, err := os.OpenFile(path, os.O_RDWR, 0) // which does not wait for a reader
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	checkRead(t, path, 1000, "", "did not come within 50ms")
	if _, err := f.WriteString("begun"); err != nil {
		t.Fatal(err)
	}
	checkRead(t, path, 1000, "", "did not come within 50ms")
}

// TestReadPipe reads as from a shell's <(command), whose text comes late.
func TestReadPipe(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	go func() {
		time.Sleep(50 * time.Millisecond)
		_, _ = w.WriteString("late")
		_ = w.Close()
	}()
	checkRead(t, "/dev/fd/"+strconv.Itoa(int(r.Fd())), 1000, "late", "")
}

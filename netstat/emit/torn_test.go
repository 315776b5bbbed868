package emit

import (
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"time"
)

// A write that is cut short leaves a piece of a line. What follows must not
// become a part of that line. A full pipe with a deadline stands for a full
// disk: it takes what it has room for and no more.
func TestWholeLinesAfterShortWrite(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	if err := w.SetWriteDeadline(time.Time{}); err != nil {
		t.Skipf("pipes have no deadlines here: %v", err)
	}
	lines := (*wholeLines)(&file{f: w})
	large := []byte(strings.Repeat("m n=1i 1767323045\n", 1<<18))

	type result struct {
		n   int
		err error
	}
	written := make(chan result)
	go func() {
		n, err := lines.Write(large)
		written <- result{n, err}
	}()
	// Once the first byte is here, the rest fills the pipe and waits.
	if _, err := io.ReadFull(r, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := w.SetWriteDeadline(time.Now()); err != nil {
		t.Fatal(err)
	}
	short := <-written
	if !errors.Is(short.err, os.ErrDeadlineExceeded) || short.n == 0 || short.n == len(large) {
		t.Fatalf("wrote %d of %d bytes with the error %v, want a part of them", short.n, len(large), short.err)
	}
	// While nothing can be written, the torn line stays torn.
	if n, err := lines.Write([]byte("lost\n")); n != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Fatalf("wrote %d bytes with the error %v after the deadline", n, err)
	}

	if err := w.SetWriteDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if n, err := io.ReadFull(r, make([]byte, short.n-1)); err != nil {
		t.Fatalf("read %d of what was written: %v", n, err)
	}
	for _, text := range []string{"second\n", "third\n"} {
		if n, err := lines.Write([]byte(text)); n != len(text) || err != nil {
			t.Fatalf("wrote %d of %d bytes with the error %v", n, len(text), err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	rest, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	// One line end closes the torn line; further lines need none.
	if want := "\nsecond\nthird\n"; string(rest) != want {
		t.Errorf("after the short write came %q, want %q", rest, want)
	}
}

//go:build unix

package emit_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/netstat/emit"
	"github.com/l4stat/l4stat/netstat/metric"
)

// Two that write to one file, one of which was killed in the middle of a line now
// and then, leave whole lines.
func TestFileTwoHolders(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "out.lp")
	many := tornMetric(1)
	for len(many) < 1000 { // 18 bytes each: several pages
		many = append(many, many[0])
	}
	killed, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer killed.Close()
	const rounds = 20
	var writing sync.WaitGroup
	for range 2 {
		writing.Go(func() {
			for range rounds {
				out := newFile(t, path)
				writeMany(t, out, many)
				closeOutput(t, out)
				if err := torn(killed); err != nil {
					t.Error(err)
				}
			}
		})
	}
	writing.Wait()
	closing := newFile(t, path)
	writeMany(t, closing, many)
	closeOutput(t, closing)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	line := "m n=1i 1767323045\n"
	if got, want := strings.Count(string(text), line), (2*rounds+1)*len(many); got != want || len(text) != want*len(line) {
		t.Errorf("the file has %d bytes and %d whole lines, want %d", len(text), got, want)
	}
}

func writeMany(t *testing.T, out emit.Output, metrics []metric.Metric) {
	t.Helper()
	if err := out.Write(context.Background(), metrics); err != nil {
		t.Error(err)
	}
}

// torn appends a part of a line, as a writer does that is killed.
func torn(f *os.File) error {
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX); err != nil {
		return err
	}
	_, err := f.WriteString("netstat,host=a tcp_listen=5i 179")
	return errors.Join(err, unix.Flock(int(f.Fd()), unix.LOCK_UN))
}

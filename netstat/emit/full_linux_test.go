package emit_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/internal/testhost"
	"github.com/l4stat/l4stat/netstat/emit"
)

// TestFileOnFullDisk has a disk run full in the middle of a write: the file keeps
// whole lines, and goes on when there is room again.
func TestFileOnFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=16k"); err != nil {
		testhost.SkipOrFail(t, "needs root, to make a small disk: mount: "+err.Error())
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	path, ballast := filepath.Join(dir, "out.lp"), filepath.Join(dir, "ballast")
	var w warnings
	out, err := emit.NewFile(path, newTornEncoder(t), emit.Options{Warn: w.warn})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(ballast, make([]byte, 8<<10), 0o644); err != nil {
		t.Fatal(err)
	}
	many := tornMetric(1)
	for len(many) < 300 { // 18 bytes each: more than a page, less than two
		many = append(many, many[0])
	}
	whole := strings.Repeat("m n=1i 1767323045\n", len(many))
	for range 2 {
		if err := out.Write(context.Background(), many); err != nil {
			t.Fatal(err)
		}
	}
	w.wait(t, 1)
	checkFile(t, path, whole)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	w.wait(t, 2)
	closeOutput(t, out)
	checkFile(t, path, whole+whole)
	w.check(t, []string{path + " does not take metrics", "no space left"}, []string{"takes metrics again; 300 were waiting"})
}

// TestFileOnFullDiskForGood has a full disk cost what the buffer does not hold,
// with a few lines of warnings and an error that counts the rest.
func TestFileOnFullDiskForGood(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w warnings
		out, err := emit.NewFile("/dev/full", newTornEncoder(t), emit.Options{Warn: w.warn, BufferLimit: 10})
		if err != nil {
			t.Fatal(err)
		}
		for range 272 {
			write(t, out, 1)
			sleep(10 * time.Second)
		}
		checkClose(t, out, "272 metrics were not delivered; 10 were waiting; 262 were dropped, the buffer being full", "no space left")
		w.check(t, []string{"/dev/full does not take metrics", "no space left"}, []string{"buffer of 10 metrics is full"})
	})
}

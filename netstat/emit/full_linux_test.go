package emit_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

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
	out, err := emit.NewFile(path, newTornEncoder(t))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close(context.Background())
	if err := os.WriteFile(ballast, make([]byte, 8<<10), 0o644); err != nil {
		t.Fatal(err)
	}
	many := tornMetric(1)
	for len(many) < 300 { // 18 bytes each: more than a page, less than two
		many = append(many, many[0])
	}
	lines := 0
	for range 3 {
		err := out.Write(context.Background(), many)
		if err == nil {
			lines += len(many)
		} else if !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
	}
	if lines != 300 {
		t.Fatalf("%d lines were written, want 300 and then no room", lines)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if err := out.Write(context.Background(), many); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Repeat("m n=1i 1767323045\n", 600); string(got) != want {
		t.Errorf("the file has %d bytes, want the %d of 600 whole lines", len(got), len(want))
	}
}

//go:build unix

package netstat_test

import (
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/netstat"
)

// What is no file does not hang or fill the memory.
func TestLoadFileNoFile(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := unix.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{t.TempDir(): "directory", "/dev/zero": "device", fifo: "nobody writes"} {
		_, err := netstat.LoadFile(path)
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got the error %v, want one with the path and %q", path, err, want)
		}
	}
}

package netstat_test

import (
	"context"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/l4stat/l4stat/internal/hostile"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/emit"
	"github.com/l4stat/l4stat/netstat/socket"
)

// TestHostileProc gathers all that there is, twice, from trees that are not procfs.
// What cannot be read is an error or a warning that names a file; what is read can
// be written, a line each that a terminal shows.
func TestHostileProc(t *testing.T) {
	root := filepath.Join(t.TempDir(), "proc")
	t.Setenv("HOST_PROC", root)
	rows, told := 0, 0
	include := slices.DeleteFunc(netstat.Included(), func(name string) bool { return name == "connection" }) // which sock_diag has, not procfs
	hostile.Each(t, func(t *testing.T, n int, r *rand.Rand) {
		if err := hostile.Proc(r, root); err != nil {
			t.Errorf("make a tree: %v", err)
			return
		}
		named := func(text string) {
			for line := range strings.SplitSeq(text, "\n") {
				told++
				if !strings.Contains(line, root) {
					t.Errorf("the message does not name a file: %.300q", line)
				}
			}
		}
		c, err := netstat.New(netstat.Config{
			PID: true, Source: socket.Procfs, Include: include, Absent: netstat.ZeroAbsent, Warn: named,
			Groups: []netstat.Group{{Ports: []string{"80", "53"}}, {PortsMatch: []string{"*:1-65535"}}, {Side: netstat.RemoteSide, PortsMatch: []string{"*:80"}}},
		})
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		enc, err := emit.NewEncoder(emit.Nanosecond, map[string]string{"host": "test"})
		if err != nil {
			t.Error(err)
			return
		}
		for range 2 {
			metrics, err := c.Gather(context.Background())
			if err != nil {
				named(err.Error())
			}
			rows += len(metrics)
			text, err := enc.Append(nil, metrics)
			if err != nil {
				t.Errorf("rows are lost: %v", err)
			}
			for line := range strings.Lines(string(text)) {
				if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsPrint(r) }) {
					t.Errorf("a terminal might obey %.300q", line)
				}
			}
		}
	})
	t.Logf("%d rows, %d messages", rows, told)
	if err := os.RemoveAll(root); err != nil {
		t.Error(err)
	}
}

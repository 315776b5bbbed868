package connstat

import (
	"bytes"
	"context"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/l4stat/l4stat/internal/hostile"
	"github.com/l4stat/l4stat/netstat/socket"
)

// TestHostileProc reports connections, with their owners, from trees that are not
// procfs. An error names a file, and the rows are such as a terminal shows.
func TestHostileProc(t *testing.T) {
	root := filepath.Join(t.TempDir(), "proc")
	t.Setenv("HOST_PROC", root)
	var fields []Field
	for _, f := range AllFields {
		if f.procfs {
			fields = append(fields, f)
		}
	}
	written := 0
	hostile.Each(t, func(t *testing.T, n int, r *rand.Rand) {
		if err := hostile.Proc(r, root); err != nil {
			t.Errorf("make a tree: %v", err)
			return
		}
		named := func(text string) {
			for line := range strings.SplitSeq(text, "\n") {
				if !strings.Contains(line, root) {
					t.Errorf("the message does not name a file: %.300q", line)
				}
			}
		}
		source, err := socket.Open(socket.Procfs, socket.Options{ProcRoot: root})
		if err != nil {
			t.Error(err)
			return
		}
		defer source.Close()
		var out bytes.Buffer
		o := Options{Fields: fields, Format: Format(n % 3), Warn: named, Now: time.Now}
		if err := newReporter(o, source, &out).Report(context.Background()); err != nil {
			named(err.Error())
		}
		written += out.Len()
		for line := range strings.Lines(out.String()) {
			if strings.ContainsFunc(strings.TrimSuffix(line, "\n"), func(r rune) bool { return !unicode.IsPrint(r) }) {
				t.Errorf("a terminal might obey %.300q", line)
			}
		}
		if _, err := findCgroups(root, ""); err != nil {
			named(err.Error())
		}
	})
	t.Logf("%d bytes", written)
}

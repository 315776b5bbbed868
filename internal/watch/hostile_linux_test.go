package watch

import (
	"context"
	"io"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/hostile"
	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/netstat/socket"
)

// TestHostileProc samples every group, twice, from trees that are not procfs, and
// writes the lines. What is not known is -, and the warning names a file.
func TestHostileProc(t *testing.T) {
	root := filepath.Join(t.TempDir(), "proc")
	t.Setenv("HOST_PROC", root)
	told := 0
	hostile.Each(t, func(t *testing.T, n int, r *rand.Rand) {
		if err := hostile.Proc(r, root); err != nil {
			t.Errorf("make a tree: %v", err)
			return
		}
		source, err := socket.Open(socket.Procfs, socket.Options{ProcRoot: root})
		if err != nil {
			t.Error(err)
			return
		}
		defer source.Close()
		var blocks []*Block
		for _, g := range Groups() {
			blocks = append(blocks, g.Blocks...)
		}
		sampler := NewSampler(blocks, source, kernel.At(root), func(message string) {
			for line := range strings.SplitSeq(message, "\n") {
				told++
				if !strings.Contains(line, root) && !strings.Contains(line, "nf_conntrack is not loaded") {
					t.Errorf("the warning does not name a file: %.300q", line)
				}
			}
		})
		screen, lines := &Screen{W: io.Discard, Blocks: blocks}, &JSON{W: io.Discard, Blocks: blocks}
		for range 2 {
			sample, err := sampler.Sample(context.Background())
			if err != nil {
				t.Error(err)
				return
			}
			for _, out := range []Output{screen, lines} {
				if err := out.Row(sample); err != nil {
					t.Error(err)
				}
			}
		}
	})
	t.Logf("%d warnings", told)
}

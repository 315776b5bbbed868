package emit_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/l4stat/l4stat/netstat/emit"
	"github.com/l4stat/l4stat/netstat/metric"
)

func tornMetric(n int64) []metric.Metric {
	return []metric.Metric{{Name: "m", Fields: []metric.Field{field("n", metric.Int(n))}, Time: time.Unix(1767323045, 0)}}
}

func newTornEncoder(t *testing.T) *emit.Encoder {
	t.Helper()
	enc, err := emit.NewEncoder(emit.Second, nil)
	if err != nil {
		t.Fatal(err)
	}
	return enc
}

// shortWriter takes as much of each write as it is told.
type shortWriter struct {
	strings.Builder
	room []int
}

func (w *shortWriter) Write(text []byte) (int, error) {
	n := min(w.room[0], len(text))
	w.room = w.room[1:]
	_, _ = w.Builder.Write(text[:n])
	if n < len(text) {
		return n, errors.New("no room")
	}
	return n, nil
}

// What was cut short goes on where it was cut.
func TestStreamAfterShortWrite(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const all = 1000
		w := &shortWriter{room: []int{all, 6, 0, 3, all, all}}
		out, err := emit.NewStream("w", w, newTornEncoder(t), emit.Options{BufferLimit: 1})
		if err != nil {
			t.Fatal(err)
		}
		for i := range int64(3) {
			if err := out.Write(context.Background(), tornMetric(i)); err != nil {
				t.Errorf("write %d: %v", i, err)
			}
			synctest.Wait() // what is half written is not dropped
		}
		sleep(time.Minute)
		closeOutput(t, out)
		if want := "m n=0i 1767323045\nm n=1i 1767323045\nm n=2i 1767323045\n"; w.String() != want {
			t.Errorf("got %q, want %q", w.String(), want)
		}
	})
}

// A file whose last line is incomplete, as after a crash, has whole lines again:
// half of a line of ours is no row of its own.
func TestFileInMidLine(t *testing.T) {
	t.Parallel()
	const row, next = "netstat,host=a tcp_listen=5i 1767323045\n", "m n=1i 1767323045\n"
	tests := map[string]string{
		"":                          "",
		row:                         row,
		row + "#":                   row + "#\n",   // somebody else's
		"netstatus=up":              "",            // as ours begin
		"m n=0i 17":                 "m n=0i 17\n", // somebody else's
		"\n\n" + row + "netstat\\ ": "\n\n" + row,
		strings.Repeat("x", 1<<17):  strings.Repeat("x", 1<<17) + "\n",
	}
	for cut := range len(row) {
		tests[row[:cut]] = ""
		tests[row+row[:cut]] = row
	}
	for before, want := range tests {
		path := filepath.Join(t.TempDir(), "out.lp")
		if err := os.WriteFile(path, []byte(before), 0o644); err != nil {
			t.Fatal(err)
		}
		var w warnings
		out, err := emit.NewFile(path, newTornEncoder(t), emit.Options{Warn: w.warn})
		if err != nil {
			t.Fatal(err)
		}
		if err := out.Write(context.Background(), tornMetric(1)); err != nil {
			t.Error(err)
		}
		checkFile(t, path, want+next)
		closeOutput(t, out)
		if removed := len(before) - len(want); removed > 0 {
			w.check(t, []string{path + " ended in the middle of a line", strconv.Itoa(removed) + " bytes"})
		} else {
			w.check(t)
		}
	}
}

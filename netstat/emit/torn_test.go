package emit_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/emit"
)

func tornMetric(n int64) []netstat.Metric {
	return []netstat.Metric{{Name: "m", Fields: []netstat.Field{{Key: "n", Value: netstat.Int(n)}}, Time: time.Unix(1767323045, 0)}}
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

// What follows a piece of a line must not become a part of that line.
func TestStreamAfterShortWrite(t *testing.T) {
	t.Parallel()
	const all = 1000
	w := &shortWriter{room: []int{all, 6, 0, all, all}}
	out := emit.NewStream(w, newTornEncoder(t))
	for i, room := range w.room {
		if err := out.Write(context.Background(), tornMetric(int64(i))); (err == nil) != (room == all) {
			t.Errorf("write %d: %v", i, err)
		}
	}
	if want := "m n=0i 1767323045\nm n=1i\nm n=3i 1767323045\nm n=4i 1767323045\n"; w.String() != want {
		t.Errorf("got %q, want %q", w.String(), want)
	}
}

// A file whose last line is incomplete, as after a crash, goes on with a line of
// its own.
func TestFileInMidLine(t *testing.T) {
	t.Parallel()
	for before, want := range map[string]string{
		"":                    "m n=1i 1767323045\n",
		"m n=0i 17\n":         "m n=0i 17\nm n=1i 1767323045\n",
		"m n=0i 17\nm n=0i 1": "m n=0i 17\nm n=0i 1\nm n=1i 1767323045\n",
	} {
		path := filepath.Join(t.TempDir(), "out.lp")
		if err := os.WriteFile(path, []byte(before), 0o644); err != nil {
			t.Fatal(err)
		}
		out, err := emit.NewFile(path, newTornEncoder(t))
		if err != nil {
			t.Fatal(err)
		}
		if err := out.Write(context.Background(), tornMetric(1)); err != nil {
			t.Error(err)
		}
		if err := out.Close(context.Background()); err != nil {
			t.Error(err)
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("after %q the file has %q, want %q", before, got, want)
		}
	}
}

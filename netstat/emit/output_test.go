package emit_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/l4stat/l4stat/netstat/emit"
	"github.com/l4stat/l4stat/netstat/metric"
)

// recorder keeps what each Write is given.
type recorder struct {
	writes []string
	err    error
}

func (r *recorder) Write(p []byte) (int, error) {
	r.writes = append(r.writes, string(p))
	return len(p), r.err
}

// line is what one("m", n) is written as.
func line(n string) string { return "m n=" + n + "i 1767323045\n" }

func write(t *testing.T, out emit.Output, numbers ...int64) {
	t.Helper()
	if err := out.Write(context.Background(), metrics(numbers...)); err != nil {
		t.Fatal(err)
	}
}

func metrics(numbers ...int64) []metric.Metric {
	var metrics []metric.Metric
	for _, n := range numbers {
		metrics = append(metrics, one("m", n))
	}
	return metrics
}

// Readers of a pipe see the metrics of a Gather together, since they come with
// one Write.
func TestStreamOneWrite(t *testing.T) {
	t.Parallel()
	var r recorder
	out := newStream(t, &r, emit.Options{})
	write(t, out, 1, 2, 3)
	write(t, out, 4)
	if err := out.Close(context.Background()); err != nil {
		t.Error(err)
	}
	if want := []string{line("1") + line("2") + line("3"), line("4")}; len(r.writes) != 2 || r.writes[0] != want[0] || r.writes[1] != want[1] {
		t.Errorf("the writes were %q, want %q", r.writes, want)
	}
}

func TestStreamErrors(t *testing.T) {
	t.Parallel()
	var r recorder
	ended := make(chan bool, 2)
	out := newStream(t, &r, emit.Options{Ended: func() { ended <- true }})
	batch := append(metrics(1), one("bad", 2, "a", ""), one("m", 3))
	err := out.Write(context.Background(), batch)
	if err == nil || !strings.Contains(err.Error(), "bad") {
		t.Errorf("the error %v does not name the metric that was left out", err)
	}
	closeOutput(t, out)
	if len(r.writes) != 1 || r.writes[0] != line("1")+line("3") {
		t.Errorf("the writes were %q, want the metrics that can be encoded", r.writes)
	}

	out = newStream(t, &recorder{err: syscall.EPIPE}, emit.Options{Ended: func() { ended <- true }})
	write(t, out, 4)
	<-ended
	if err := out.Write(context.Background(), metrics(5)); !errors.Is(err, emit.ErrReaderGone) {
		t.Errorf("got the error %v, want %v", err, emit.ErrReaderGone)
	}
	closeOutput(t, out) // which has nothing to complain of
}

// A reader that does not read stops neither Write nor, for long, Close; it is said
// once, and what nobody took is counted.
func TestStreamBlocks(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w warnings
		blocked := make(chan bool)
		out := newStream(t, writerFunc(func(p []byte) (int, error) {
			<-blocked
			return len(p), nil
		}), emit.Options{Warn: w.warn, BufferLimit: 5})
		start := time.Now()
		for i := range int64(9) {
			write(t, out, i)
		}
		if took := time.Since(start); took > 0 {
			t.Errorf("Write took %v", took)
		}
		sleep(time.Hour)
		w.check(t, []string{"the stream is behind", "is full"}, []string{"does not take metrics: nothing was taken for 15s"})
		start = time.Now()
		checkClose(t, out, "9 metrics were not delivered; 5 were waiting; 4 were dropped", "nothing was taken")
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("Close took %v", took)
		}
		close(blocked)
	})
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

func newStream(t *testing.T, w io.Writer, o emit.Options) emit.Output {
	t.Helper()
	out, err := emit.NewStream("the stream", w, newEncoder(t, emit.Second, nil), o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func newFile(t *testing.T, path string) emit.Output {
	t.Helper()
	out, err := emit.NewFile(path, newEncoder(t, emit.Second, nil), emit.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func closeOutput(t *testing.T, out emit.Output) {
	t.Helper()
	if err := out.Close(context.Background()); err != nil {
		t.Error(err)
	}
}

// checkFile waits until the file has what it should.
func checkFile(t *testing.T, path, want string) {
	t.Helper()
	var got []byte
	var err error
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if got, err = os.ReadFile(path); err == nil && string(got) == want {
			return
		}
	}
	t.Errorf("%s has\n%swant\n%s (%v)", filepath.Base(path), got, want, err)
}

func TestFileAppends(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "netstat.lp")

	out := newFile(t, path)
	checkFile(t, path, "") // it is there before the first Gather
	write(t, out, 1, 2)
	write(t, out, 3)
	checkFile(t, path, line("1")+line("2")+line("3")) // nothing waits for Close
	closeOutput(t, out)

	out = newFile(t, path)
	write(t, out, 4)
	closeOutput(t, out)
	checkFile(t, path, line("1")+line("2")+line("3")+line("4"))
}

func TestFileUnwritable(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	tests := map[string]struct {
		path string
		want error // nil where systems differ
	}{
		"directory missing": {filepath.Join(dir, "missing", "netstat.lp"), fs.ErrNotExist},
		"a directory":       {dir, nil},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := emit.NewFile(tt.path, newEncoder(t, emit.Second, nil), emit.Options{})
			if err == nil || out != nil {
				t.Fatalf("NewFile gave %v and the error %v", out, err)
			}
			if !strings.Contains(err.Error(), tt.path) {
				t.Errorf("the error %q does not name the file", err)
			}
			if tt.want != nil && !errors.Is(err, tt.want) {
				t.Errorf("got the error %v, want %v", err, tt.want)
			}
		})
	}
}

// Programs that rotate logs move the file away, remove it, or cut it. None of
// them tells us.
func TestFileRotation(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not move or remove a file that is open")
	}
	tests := []struct {
		name   string
		rotate func(path string) error
		old    string // what the file has that was moved away
		now    string
	}{
		{"nothing", func(string) error { return nil }, "", line("1") + line("2") + line("3")},
		{"rename", func(path string) error { return os.Rename(path, path+".1") }, line("1"), line("2") + line("3")},
		{"remove", os.Remove, "", line("2") + line("3")},
		{"copy and truncate", func(path string) error { return os.Truncate(path, 0) }, "", line("2") + line("3")},
		{"rename and create", func(path string) error {
			return errors.Join(os.Rename(path, path+".1"), os.WriteFile(path, []byte("# new\n"), 0o644))
		}, line("1"), "# new\n" + line("2") + line("3")},
		{"link", func(path string) error {
			// The name means another file now, though the old one is there.
			return errors.Join(os.Rename(path, path+".1"), os.Symlink(path+".2", path))
		}, line("1"), line("2") + line("3")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "netstat.lp")
			out := newFile(t, path)
			write(t, out, 1)
			checkFile(t, path, line("1"))
			if err := tt.rotate(path); err != nil {
				t.Fatal(err)
			}
			write(t, out, 2)
			write(t, out, 3)
			closeOutput(t, out)
			checkFile(t, path, tt.now)
			if tt.old != "" {
				checkFile(t, path+".1", tt.old)
			}
		})
	}
}

// While the file cannot be made anew, metrics are kept; once it can, they are
// written.
func TestFileDirectoryGone(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("Windows does not move or remove a file that is open")
	}
	dir := filepath.Join(t.TempDir(), "log")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "netstat.lp")
	var w warnings
	out, err := emit.NewFile(path, newEncoder(t, emit.Second, nil), emit.Options{Warn: w.warn})
	if err != nil {
		t.Fatal(err)
	}
	write(t, out, 1)
	checkFile(t, path, line("1"))
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	write(t, out, 2)
	w.wait(t, 1)
	write(t, out, 3)
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	w.wait(t, 2)
	closeOutput(t, out)
	checkFile(t, path, line("2")+line("3"))
	checkFile(t, filepath.Join(dir+".old", "netstat.lp"), line("1"))
	w.check(t, []string{path + " does not take metrics", "no such file"}, []string{"takes metrics again; 2 were waiting"})
}

// Rotation hundreds of times must not leave hundreds of files open.
func TestFileRotationCloses(t *testing.T) {
	const rotations = 100
	count := func() int {
		entries, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Skipf("the system does not list open files: %v", err)
		}
		return len(entries)
	}
	path := filepath.Join(t.TempDir(), "netstat.lp")
	out := newFile(t, path)
	write(t, out, 1)
	checkFile(t, path, line("1"))
	before := count()
	for range rotations {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		write(t, out, 1)
		checkFile(t, path, line("1"))
	}
	if after := count(); after >= before+rotations/2 {
		t.Errorf("%d files are open after %d rotations, %d before", after, rotations, before)
	}
	closeOutput(t, out)
}

package emit_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/emit"
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

// line is what metric("m", n) is written as.
func line(n string) string { return "m n=" + n + "i 1767323045\n" }

func write(t *testing.T, out emit.Output, numbers ...int64) {
	t.Helper()
	if err := out.Write(context.Background(), metrics(numbers...)); err != nil {
		t.Fatal(err)
	}
}

func metrics(numbers ...int64) []netstat.Metric {
	var metrics []netstat.Metric
	for _, n := range numbers {
		metrics = append(metrics, metric("m", n))
	}
	return metrics
}

// Readers of a pipe see the metrics of a Gather together, since they come with
// one Write.
func TestStreamOneWrite(t *testing.T) {
	t.Parallel()
	var r recorder
	out := emit.NewStream(&r, newEncoder(t, emit.Second, nil))
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
	out := emit.NewStream(&r, newEncoder(t, emit.Second, nil))
	batch := append(metrics(1), metric("bad", 2, "a", ""), metric("m", 3))
	err := out.Write(context.Background(), batch)
	if err == nil || !strings.Contains(err.Error(), "bad") {
		t.Errorf("the error %v does not name the metric that was left out", err)
	}
	if len(r.writes) != 1 || r.writes[0] != line("1")+line("3") {
		t.Errorf("the writes were %q, want the metrics that can be encoded", r.writes)
	}

	r.err = syscall.EPIPE
	if err := out.Write(context.Background(), metrics(4)); !errors.Is(err, syscall.EPIPE) {
		t.Errorf("got the error %v, want the writer's, %v", err, r.err)
	}
	r.err = nil
	write(t, out, 5)
}

func newFile(t *testing.T, path string) emit.Output {
	t.Helper()
	out, err := emit.NewFile(path, newEncoder(t, emit.Second, nil))
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

func checkFile(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
	} else if string(got) != want {
		t.Errorf("%s has\n%swant\n%s", filepath.Base(path), got, want)
	}
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
			out, err := emit.NewFile(tt.path, newEncoder(t, emit.Second, nil))
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

// While the file cannot be made anew, Write says so; once it can, it is.
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
	out := newFile(t, path)
	write(t, out, 1)
	if err := os.Rename(dir, dir+".old"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		err := out.Write(context.Background(), metrics(2))
		if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
			t.Errorf("got the error %v, want one that names the file", err)
		}
	}
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	write(t, out, 3)
	closeOutput(t, out)
	checkFile(t, path, line("3"))
	checkFile(t, filepath.Join(dir+".old", "netstat.lp"), line("1"))
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
	before := count()
	for range rotations {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		write(t, out, 1)
	}
	if after := count(); after >= before+rotations/2 {
		t.Errorf("%d files are open after %d rotations, %d before", after, rotations, before)
	}
	closeOutput(t, out)
}

func TestFileDiskFull(t *testing.T) {
	t.Parallel()
	const full = "/dev/full"
	if _, err := os.Stat(full); err != nil {
		t.Skip(err)
	}
	out := newFile(t, full)
	for range 2 {
		err := out.Write(context.Background(), metrics(1))
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(err.Error(), full) {
			t.Errorf("got the error %v, want %v with the file's name", err, syscall.ENOSPC)
		}
	}
	closeOutput(t, out)
}

//go:build linux

package owner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// fakeProc is a directory laid out as procfs.
type fakeProc struct {
	t      testing.TB
	root   string
	parent map[int]int    // of a process, to be set before it is added
	name   map[int]string // the same
}

func newFakeProc(t testing.TB) *fakeProc {
	return &fakeProc{t, t.TempDir(), map[int]int{}, map[int]string{}}
}

// process adds a process that started at that tick, with descriptors from 0
// that link to targets.
func (p *fakeProc) process(pid int, start uint64, targets ...string) {
	p.t.Helper()
	dir := filepath.Join(p.root, fmt.Sprint(pid))
	if err := os.MkdirAll(filepath.Join(dir, "fd"), 0o755); err != nil {
		p.t.Fatal(err)
	}
	// The name of a command may look like the rest of the line.
	name := cmp.Or(p.name[pid], "a) b 1 2 3")
	stat := fmt.Sprintf("%d (%s) S %d 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 %d 20 21", pid, name, p.parent[pid], start)
	if err := os.WriteFile(filepath.Join(dir, "stat"), []byte(stat), 0o644); err != nil {
		p.t.Fatal(err)
	}
	for fd, target := range targets {
		if err := os.Symlink(target, filepath.Join(dir, "fd", fmt.Sprint(fd))); err != nil {
			p.t.Fatal(err)
		}
	}
}

func (p *fakeProc) exit(pid int) {
	p.t.Helper()
	if err := os.RemoveAll(filepath.Join(p.root, fmt.Sprint(pid))); err != nil {
		p.t.Fatal(err)
	}
}

func find(t *testing.T, f *Finder, wanted ...[]uint64) []int {
	t.Helper()
	rows := make([]Row, len(wanted))
	for i := range rows {
		rows[i] = Row{Inodes: wanted[i], PID: -1}
	}
	if err := f.Find(context.Background(), rows); err != nil {
		t.Fatal(err)
	}
	pids := make([]int, len(rows))
	for i := range rows {
		pids[i] = rows[i].PID
	}
	return pids
}

func list(inodes ...uint64) []uint64 { return inodes }

func TestFind(t *testing.T) {
	p := newFakeProc(t)
	p.process(10, 1000, "/dev/null", "socket:[5]", "pipe:[6]", "socket:[7]")
	p.process(20, 500, "socket:[7]", "anon_inode:[eventpoll]")
	p.process(30, 2000, "socket:[7]", "socket:[9]", "socket:[x]", "socket:[]", "socket:")
	if err := os.Mkdir(filepath.Join(p.root, "self"), 0o755); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name   string
		wanted []uint64
		want   int
	}{
		{"one process", list(5), 10},
		{"of several processes the one that started first", list(7), 20},
		{"a pipe is no socket", list(6), 0},
		{"nobody's", list(8), 0},
		{"the first that has an owner", list(6, 8, 9, 5), 30},
		{"none asked for", nil, 0},
	}
	var all [][]uint64
	var want []int
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			f := New(p.root)
			for range 2 { // from procfs, and from memory
				if got := find(t, f, tt.wanted)[0]; got != tt.want {
					t.Errorf("the owner of %v is %d, want %d", tt.wanted, got, tt.want)
				}
			}
		})
		all, want = append(all, tt.wanted), append(want, tt.want)
	}
	if got := find(t, New(p.root), all...); !slices.Equal(got, want) {
		t.Errorf("all at once the owners are %v, want %v", got, want)
	}
}

// TestFindDoesNotWalk shows what is read again: a process that appears, and
// that a walk would prefer because it started earlier, goes unnoticed as long as
// there is nothing new to find.
func TestFindDoesNotWalk(t *testing.T) {
	p := newFakeProc(t)
	p.process(10, 1000, "socket:[5]", "socket:[6]")
	f := New(p.root)
	want := func(wanted []uint64, pid int, why string) {
		t.Helper()
		if got := find(t, f, wanted)[0]; got != pid {
			t.Errorf("the owner of %v is %d, want %d: %s", wanted, got, pid, why)
		}
	}
	want(list(5), 10, "it has it")
	p.process(3, 1, "socket:[5]", "socket:[6]", "socket:[8]")
	want(list(5), 10, "known, and still so")
	want(list(6), 10, "new, and had by a process that is known")

	p.process(4, 2, "socket:[9]")
	want(list(9), 4, "new, and had by nobody who is known: this takes a walk")
	want(list(5), 10, "asked for anew, and where it was found before")
}

// TestFindAgain has a socket that nobody has at first, as when it is handed from
// one process to the next during a search. It is found by the next call; what
// stays nobody's is searched for ever more seldom.
func TestFindAgain(t *testing.T) {
	p := newFakeProc(t)
	p.process(10, 1000, "socket:[5]")
	f := New(p.root)
	if got := find(t, f, list(20))[0]; got != 0 {
		t.Fatalf("the owner is %d, want none", got)
	}
	p.process(11, 1001, "socket:[20]")
	if got := find(t, f, list(20))[0]; got != 11 {
		t.Errorf("at the next call the owner is %d, want 11", got)
	}

	searches := 0
	for range 200 {
		before := f.nobody[30]
		if got := find(t, f, list(30))[0]; got != 0 {
			t.Fatalf("the owner is %d, want none", got)
		}
		if f.nobody[30].length > before.length || f.nobody[30].left > before.left {
			searches++
		}
	}
	if searches < 7 || searches > 10 {
		t.Errorf("%d searches in 200 calls, want one after 1, 2, 4 ... 64", searches)
	}
}

// TestFindAncestors has a worker known, and then new sockets that its master
// shares with it: a connection under the same number, and a listener under another.
func TestFindAncestors(t *testing.T) {
	p := newFakeProc(t)
	p.parent[300], p.parent[200], p.parent[100] = 200, 100, 1
	p.process(1, 0)
	p.process(100, 50, "socket:[12]", "socket:[13]", "socket:[14]")
	p.process(200, 60)
	p.process(300, 90, "socket:[7]", "socket:[13]", "socket:[12]")
	f := New(p.root)
	if got := find(t, f, list(7))[0]; got != 300 {
		t.Fatalf("the owner is %d, want the worker, 300", got)
	}
	rows := []Row{{Inodes: list(7)}, {Inodes: list(13)}, {Inodes: list(12), Listener: true}}
	if err := f.Find(context.Background(), rows); err != nil {
		t.Fatal(err)
	}
	for i, want := range []int{300, 100, 100} {
		if rows[i].PID != want {
			t.Errorf("the owner of %v is %d, want %d: the worker is 300, its master 100", rows[i].Inodes, rows[i].PID, want)
		}
	}
}

// TestFindAncestorsEndless has parents that go round in a circle, as in what is not
// procfs: the search ends.
func TestFindAncestorsEndless(t *testing.T) {
	p := newFakeProc(t)
	p.parent[100], p.parent[200] = 200, 100
	p.process(100, 50, "socket:[7]")
	p.process(200, 60, "socket:[8]")
	if got := find(t, New(p.root), list(7), list(8)); !slices.Equal(got, []int{100, 200}) {
		t.Errorf("the owners are %v, want 100 and 200", got)
	}
}

// TestFindEnding has a process whose descriptors are still there when it has
// ended: it does not go before one that lives.
func TestFindEnding(t *testing.T) {
	p := newFakeProc(t)
	p.process(100, 50, "socket:[5]")
	p.process(200, 40, "socket:[5]")
	if err := os.Remove(filepath.Join(p.root, "200", "stat")); err != nil {
		t.Fatal(err)
	}
	if got := find(t, New(p.root), list(5))[0]; got != 100 {
		t.Errorf("the owner is %d, want 100", got)
	}
}

// TestFindChanges has what was known become wrong.
func TestFindChanges(t *testing.T) {
	p := newFakeProc(t)
	p.process(10, 1000, "socket:[5]")
	p.process(11, 1001, "socket:[5]")
	f := New(p.root)
	if got := find(t, f, list(5))[0]; got != 10 {
		t.Fatalf("the owner is %d, want 10", got)
	}
	p.exit(10)
	if got := find(t, f, list(5))[0]; got != 11 {
		t.Errorf("after the parent's end the owner is %d, want the child, 11", got)
	}
	// A restarted listener: another socket, another process, and in the end
	// another socket behind the same descriptor of the same process.
	p.exit(11)
	p.process(12, 1002, "socket:[6]")
	if got := find(t, f, list(6))[0]; got != 12 {
		t.Errorf("after a restart the owner is %d, want 12", got)
	}
	p.exit(12)
	p.process(12, 1003, "socket:[7]")
	if got := find(t, f, list(6), list(7)); !slices.Equal(got, []int{0, 12}) {
		t.Errorf("after the descriptor changed the owners are %v, want 0 and 12", got)
	}
	if len(f.owners) != 1 || len(f.nobody) != 1 {
		t.Errorf("it remembers %v and %v, want what was asked for last", f.owners, f.nobody)
	}
}

func TestFindErrors(t *testing.T) {
	rows := []Row{{Inodes: list(5), PID: -1}}
	err := New(filepath.Join(t.TempDir(), "absent")).Find(context.Background(), rows)
	if !errors.Is(err, fs.ErrNotExist) || rows[0].PID != 0 {
		t.Errorf("without procfs the owner is %d and the error %v, want 0 and %v", rows[0].PID, err, fs.ErrNotExist)
	}
	p := newFakeProc(t)
	p.process(10, 1000, "socket:[5]")
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	f := New(p.root)
	if err := f.Find(ctx, rows); !errors.Is(err, context.Canceled) || rows[0].PID != 0 {
		t.Errorf("cancelled, the owner is %d and the error %v, want 0 and %v", rows[0].PID, err, context.Canceled)
	}
	if got := find(t, f, list(5))[0]; got != 10 {
		t.Errorf("afterwards the owner is %d, want 10: a search that was given up proves nothing", got)
	}
}

// BenchmarkFind compares a look-up that only confirms with a first one.
func BenchmarkFind(b *testing.B) {
	p := newFakeProc(b)
	root := p.root
	for pid := range 50 {
		var targets []string
		for fd := range 200 {
			targets = append(targets, fmt.Sprintf("socket:[%d]", pid*1000+fd))
		}
		p.process(100+pid, uint64(pid), targets...)
	}
	rows := []Row{{Inodes: list(1)}, {Inodes: list(20_100)}, {Inodes: list(49_199)}}
	run := func(b *testing.B, finder func() *Finder) {
		b.ReportAllocs()
		for b.Loop() {
			if err := finder().Find(context.Background(), rows); err != nil {
				b.Fatal(err)
			}
		}
		if rows[0].PID != 100 || rows[1].PID != 120 || rows[2].PID != 149 {
			b.Fatalf("the owners are %v", rows)
		}
	}
	b.Run("cold", func(b *testing.B) { run(b, func() *Finder { return New(root) }) })
	warm := New(root)
	b.Run("warm", func(b *testing.B) { run(b, func() *Finder { return warm }) })
}

//go:build linux

package owner

import (
	"context"
	"errors"
	"os"
	"testing"
)

func TestFindHolders(t *testing.T) {
	p := newFakeProc(t)
	p.name = map[int]string{10: "nginx", 30: "nginx"}
	p.process(10, 500, "socket:[1]", "/dev/null", "socket:[2]") // whose ID is lower, but which started later
	p.process(30, 400, "socket:[1]", "socket:[3]")
	p.process(20, 100, "socket:[4]", "pipe:[5]")
	p.process(40, 1)
	const odd = "a) b 1 2 3"
	tests := []struct {
		name string
		pid  int
		comm string
		want map[uint64]Process
	}{
		{"all", 0, "", map[uint64]Process{1: {30, "nginx"}, 2: {10, "nginx"}, 3: {30, "nginx"}, 4: {20, odd}}},
		{"a process", 10, "", map[uint64]Process{1: {10, "nginx"}, 2: {10, "nginx"}}},
		{"a name", 0, "nginx", map[uint64]Process{1: {30, "nginx"}, 2: {10, "nginx"}, 3: {30, "nginx"}}},
		{"a name that looks like the rest of the line", 0, odd, map[uint64]Process{4: {20, odd}}},
		{"a process of that name", 30, "nginx", map[uint64]Process{1: {30, "nginx"}, 3: {30, "nginx"}}},
		{"a process of another name", 20, "nginx", nil},
		{"a process without sockets", 40, "", nil},
		{"no such process", 50, "", nil},
		{"no such name", 0, "apache", nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, err := FindHolders(context.Background(), p.root, tt.pid, tt.comm)
			if err != nil {
				t.Fatal(err)
			}
			for inode := range uint64(6) {
				if got := h.Of(inode); got != tt.want[inode] {
					t.Errorf("socket %d is held by %v, want %v", inode, got, tt.want[inode])
				}
			}
		})
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := FindHolders(ctx, p.root, 0, ""); !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended gives %v", err)
	}
	if _, err := FindHolders(context.Background(), "/nonexistent", 0, ""); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no procfs gives %v", err)
	}
}

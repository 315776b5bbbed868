package owner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/l4stat/l4stat/internal/privilege"
)

// Process is one that holds a socket.
type Process struct {
	PID int
	// Name is column 2 of /proc/PID/stat, comm: 15 bytes at the most, and
	// whatever the process has chosen.
	Name string
}

// Holders are the processes that hold sockets, by the sockets' inodes.
type Holders struct {
	processes []process
	sockets   map[uint64]int32 // to processes
	refused   bool
}

// Of returns the process that holds a socket; the zero Process where none is
// known. Of several it is the one that started first.
func (h *Holders) Of(inode uint64) Process {
	i, ok := h.sockets[inode]
	if !ok {
		return Process{}
	}
	p := &h.processes[i]
	return Process{p.pid, p.name}
}

// Refused reports whether there are processes that may not be looked into for want
// of privilege, so that a socket without a holder may be one of theirs.
// [NeedsPrivilege] says what to do.
func (h *Holders) Refused() bool { return h.refused }

// NeedsPrivilege is what it takes to look into the processes of other users.
const NeedsPrivilege = "run as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH (docs/permissions.md)"

// FindHolders finds the holders of all sockets, of which only those of the process
// pid and of the processes named name count; 0 and "" leave nothing out. It
// walks once over the descriptors of the processes that count, which costs some
// microseconds for each, and keeps some 20 bytes for each socket. For a few
// sockets again and again, there is [Finder].
//
// What may not be looked into holds nothing, unless it was asked for by pid or
// name: then it is an error. That there is no such process is none.
func FindHolders(ctx context.Context, root string, pid int, name string) (*Holders, error) {
	h := &Holders{sockets: map[uint64]int32{}}
	if err := privilege.Descriptors(func() error { return h.find(ctx, root, pid, name) }); err != nil {
		return nil, err
	}
	return h, nil
}

func (h *Holders) find(ctx context.Context, root string, pid int, name string) error {
	pids := []int{pid}
	if pid == 0 {
		var err error
		if pids, err = listPIDs(root); err != nil {
			return err
		}
		h.refused = hidden(pids)
	}
	for _, p := range pids {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if name != "" {
			if stat, ok := readProcess(root, p); !ok || stat.name != name {
				continue
			}
		}
		if err := h.add(root, p); err == nil {
			continue
		} else if pid != 0 || name != "" {
			return fmt.Errorf("look into process %d: %w; %s", p, err, NeedsPrivilege)
		}
		h.refused = true
	}
	h.refused = h.refused && !privileged()
	return nil
}

// add takes note of a process's sockets. The error is of one that may not be
// looked into, not of one that has ended.
func (h *Holders) add(root string, pid int) error {
	index := -1 // of the process, once it is needed
	addTable := func(tid int) (empty bool, err error) {
		t, err := openTable(root, pid, tid)
		if errors.Is(err, fs.ErrPermission) {
			return false, err
		}
		if err != nil {
			return false, nil // it has ended
		}
		defer t.close()
		for _, inode := range t.sockets() {
			if index < 0 {
				p, ok := readProcess(root, pid)
				if !ok {
					return false, nil // it has ended
				}
				index = len(h.processes)
				h.processes = append(h.processes, p)
			}
			if known, ok := h.sockets[inode]; !ok || h.processes[index].precedes(&h.processes[known]) {
				h.sockets[inode] = int32(index)
			}
		}
		if t.refused {
			return false, fs.ErrPermission
		}
		return t.found == 0, nil
	}
	empty, err := addTable(0)
	if err != nil {
		return err
	}
	for _, tid := range threadTables(root, pid, empty) {
		if _, err := addTable(tid); err != nil {
			return err
		}
	}
	return nil
}

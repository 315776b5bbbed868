package owner

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
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
	processes []holder
	sockets   map[uint64]int32 // to processes
}

type holder struct {
	Process
	start uint64
}

// Of gives the process that holds a socket; the zero Process where none is known.
// Of several it is the one that started first.
func (h *Holders) Of(inode uint64) Process {
	i, ok := h.sockets[inode]
	if !ok {
		return Process{}
	}
	return h.processes[i].Process
}

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
	pids := []int{pid}
	if pid == 0 {
		var err error
		if pids, err = listPIDs(root); err != nil {
			return nil, err
		}
	}
	for _, p := range pids {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if name != "" {
			if stat, ok := readStat(root, p); !ok || stat.name != name {
				continue
			}
		}
		if pid != 0 || name != "" {
			if err := mayLook(root, p); err != nil {
				return nil, err
			}
		}
		h.add(root, p)
	}
	return h, nil
}

// mayLook gives an error for a process that may not be looked into.
func mayLook(root string, pid int) error {
	dir, err := os.Open(filepath.Join(root, strconv.Itoa(pid), "fd"))
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("look into process %d: %w; run as root, or with CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH", pid, err)
	}
	if err != nil {
		return nil // it has ended
	}
	return dir.Close()
}

// add takes note of a process's sockets.
func (h *Holders) add(root string, pid int) {
	index := -1
	for _, inode := range sockets(root, pid) {
		if index < 0 {
			stat, ok := readStat(root, pid)
			if !ok {
				return // it has ended
			}
			index = len(h.processes)
			h.processes = append(h.processes, holder{Process{pid, stat.name}, stat.start})
		}
		if known, ok := h.sockets[inode]; !ok || h.processes[index].start < h.processes[known].start {
			h.sockets[inode] = int32(index)
		}
	}
}

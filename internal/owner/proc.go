package owner

import (
	"bytes"
	"fmt"
	"iter"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// listPIDs gives the processes that procfs at root shows, ascending.
func listPIDs(root string) ([]int, error) {
	dir, err := os.Open(root)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w; mount procfs and name it in HOST_PROC, or do without pid", err)
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var pids []int
	for _, name := range names {
		if pid, err := strconv.Atoi(name); err == nil {
			pids = append(pids, pid)
		}
	}
	slices.Sort(pids)
	return pids, nil
}

// sockets goes through a process's descriptors and gives those that are sockets:
// the number, as procfs names it, and the socket's inode. A process that ended
// or is not ours to look into has none.
//
// It costs some microseconds for each descriptor, nearly all of them the
// kernel's, which makes up the entries of /proc/PID/fd as they are asked for.
func sockets(root string, pid int) iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		dir, err := os.Open(filepath.Join(root, strconv.Itoa(pid), "fd"))
		if err != nil {
			return
		}
		defer dir.Close()
		var path []byte
		for {
			// In batches: a process may hold a million.
			names, err := dir.Readdirnames(1024)
			for _, fd := range names {
				path = append(append(path[:0], fd...), 0)
				if inode := linkedInode(dir, path); inode != 0 && !yield(fd, inode) {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
}

// link is the path of a descriptor's link, absolute or from a directory, with
// the NUL after it that the kernel wants.
type link []byte

func newLink(root string, pid int, fd string) link {
	return append([]byte(filepath.Join(root, strconv.Itoa(pid), "fd", fd)), 0)
}

// linkedInode gives the inode of the socket that a descriptor's link names, 0
// where it is no socket or is gone. dir is nil where the path is absolute.
func linkedInode(dir *os.File, path link) uint64 {
	var buf [64]byte
	target, ok := bytes.CutPrefix(readlinkat(dir, path, buf[:]), []byte("socket:["))
	if !ok {
		return 0
	}
	inode, err := strconv.ParseUint(string(bytes.TrimSuffix(target, []byte("]"))), 10, 64)
	if err != nil {
		return 0
	}
	return inode
}

// stat is what is of use of /proc/PID/stat.
type stat struct {
	name   string // column 2, comm
	parent int    // column 4, ppid
	start  uint64 // column 22, starttime, in clock ticks after boot
}

// readStat reads /proc/PID/stat; ok is false for a process that has ended.
func readStat(root string, pid int) (s stat, ok bool) {
	text, err := os.ReadFile(filepath.Join(root, strconv.Itoa(pid), "stat"))
	if err != nil {
		return stat{}, false
	}
	// Column 2 is the command's name in parentheses and may hold anything.
	begin, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if begin < 0 || end < begin {
		return stat{}, false
	}
	cols := strings.Fields(string(text[end+1:]))
	const ppid, starttime = 4 - 3, 22 - 3 // after columns 1 and 2
	if len(cols) <= starttime {
		return stat{}, false
	}
	s.name = string(text[begin+1 : end])
	var parentErr, startErr error
	s.parent, parentErr = strconv.Atoi(cols[ppid])
	s.start, startErr = strconv.ParseUint(cols[starttime], 10, 64)
	return s, parentErr == nil && startErr == nil
}

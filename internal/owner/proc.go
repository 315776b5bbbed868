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
		return nil, fmt.Errorf("list processes: %w; mount procfs and name it in HOST_PROC, or set pid = false", err)
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

// socketLinks goes through a process's descriptors and gives those that are
// sockets: the link /proc/PID/fd/N, and the inode that it names. A process that
// ended or is not ours to look into has none.
func socketLinks(root string, pid int) iter.Seq2[string, uint64] {
	return func(yield func(string, uint64) bool) {
		path := filepath.Join(root, strconv.Itoa(pid), "fd")
		dir, err := os.Open(path)
		if err != nil {
			return
		}
		defer dir.Close()
		for {
			// In batches: a process may hold a million.
			names, err := dir.Readdirnames(1024)
			for _, name := range names {
				link := path + "/" + name
				if inode := linkedInode(link); inode != 0 && !yield(link, inode) {
					return
				}
			}
			if err != nil {
				return
			}
		}
	}
}

// linkedInode gives the inode of the socket that a descriptor's link names, 0
// where it is no socket or is gone.
func linkedInode(link string) uint64 {
	var buf [64]byte
	target, ok := bytes.CutPrefix(readlink(link, buf[:]), []byte("socket:["))
	if !ok {
		return 0
	}
	inode, err := strconv.ParseUint(string(bytes.TrimSuffix(target, []byte("]"))), 10, 64)
	if err != nil {
		return 0
	}
	return inode
}

// readStat gives columns 4 and 22 of /proc/PID/stat: ppid, and starttime in clock
// ticks after boot. ok is false for a process that has ended.
func readStat(root string, pid int) (parent int, start uint64, ok bool) {
	stat, err := os.ReadFile(filepath.Join(root, strconv.Itoa(pid), "stat"))
	if err != nil {
		return 0, 0, false
	}
	// Column 2 is the command's name in parentheses and may hold anything.
	cols := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	const ppid, starttime = 4 - 3, 22 - 3 // after columns 1 and 2
	if len(cols) <= starttime {
		return 0, 0, false
	}
	parent, parentErr := strconv.Atoi(cols[ppid])
	start, startErr := strconv.ParseUint(cols[starttime], 10, 64)
	return parent, start, parentErr == nil && startErr == nil
}

package owner

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
)

// listPIDs returns the processes that procfs at root shows, ascending.
func listPIDs(root string) ([]int, error) {
	pids, err := listNumbers(root)
	if err != nil {
		return nil, fmt.Errorf("list processes: %w; mount procfs and name it in HOST_PROC, or do without pid", err)
	}
	return pids, nil
}

// hidden reports whether procfs shows some processes only, as with its option
// hidepid: process 1 is in every PID namespace.
func hidden(pids []int) bool {
	_, shown := slices.BinarySearch(pids, 1)
	return !shown
}

// listNumbers returns those entries of a directory whose names are numbers,
// ascending.
func listNumbers(path string) ([]int, error) {
	dir, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	names, err := dir.Readdirnames(-1)
	if err != nil {
		return nil, err
	}
	numbers := make([]int, 0, len(names))
	for _, name := range names {
		if n, err := strconv.Atoi(name); err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, nil
}

// tablePath is where procfs has the descriptors of a process or, if tid is
// neither 0 nor the process's, of one of its threads.
func tablePath(root string, pid, tid int) string {
	path := root + "/" + strconv.Itoa(pid)
	if tid != 0 && tid != pid {
		path += "/task/" + strconv.Itoa(tid)
	}
	return path + "/fd"
}

// link is the path of a descriptor's link, with the NUL after it that the kernel
// wants.
type link []byte

func newLink(root string, pid, tid, fd int) link {
	return fmt.Appendf(nil, "%s/%d\x00", tablePath(root, pid, tid), fd)
}

// process is what is of use of /proc/PID/stat.
type process struct {
	pid    int
	name   string // column 2, comm
	parent int    // column 4, ppid
	start  uint64 // column 22, starttime, in clock ticks after boot
}

// precedes says which of the processes that share a socket is its owner: the one
// that started first, which is the master rather than its worker. The clock has
// ticks of 10 ms; within one, the lower number.
func (p *process) precedes(q *process) bool {
	return p.start < q.start || p.start == q.start && p.pid < q.pid
}

// readProcess reads /proc/PID/stat; ok is false for a process that has ended.
func readProcess(root string, pid int) (p process, ok bool) {
	text, err := os.ReadFile(root + "/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return process{}, false
	}
	// Column 2 is the command's name in parentheses and may hold anything.
	begin, end := bytes.IndexByte(text, '('), bytes.LastIndexByte(text, ')')
	if begin < 0 || end < begin {
		return process{}, false
	}
	cols := strings.Fields(string(text[end+1:]))
	const ppid, starttime = 4 - 3, 22 - 3 // after columns 1 and 2
	if len(cols) <= starttime {
		return process{}, false
	}
	p = process{pid: pid, name: string(text[begin+1 : end])}
	var parentErr, startErr error
	p.parent, parentErr = strconv.Atoi(cols[ppid])
	p.start, startErr = strconv.ParseUint(cols[starttime], 10, 64)
	return p, parentErr == nil && startErr == nil
}

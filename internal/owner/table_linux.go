package owner

import (
	"bytes"
	"io/fs"
	"iter"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// table is a descriptor table that procfs shows: /proc/PID/fd, or
// /proc/PID/task/TID/fd. Whatever this package reads of other processes'
// descriptors it reads in this file.
//
// A look at a descriptor costs some two microseconds, nearly all of them the
// kernel's, and twice that at the first look, when procfs makes up the entry.
// That the entry is asked for by its number, rather than listed before, saves a
// part of it.
type table struct {
	dir     int
	size    int  // how many descriptors it has, by st_size; 0 before Linux 6.2
	next    int  // where sockets goes on
	found   int  // descriptors below next
	refused bool // its links may not be read

	stop    func() bool // asked now and then by sockets whether to stop; may be nil
	stopped bool
}

// openTable opens the table of a process, or if tid is not 0 of that thread.
func openTable(root string, pid, tid int) (*table, error) {
	path := tablePath(root, pid, tid)
	dir, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	t := &table{dir: dir}
	var st unix.Stat_t
	if unix.Fstat(dir, &st) == nil {
		t.size = int(st.Size)
	}
	return t, nil
}

func (t *table) close() { _ = unix.Close(t.dir) } // of a directory, which has nothing to lose

// look returns the inode of the socket that the descriptor refers to, 0 if it is
// no socket; exists is false if there is no such descriptor.
func (t *table) look(fd int) (inode uint64, exists bool) {
	var name [24]byte
	inode, errno := linkedInode(t.dir, append(strconv.AppendInt(name[:0], int64(fd), 10), 0))
	if errno == unix.EACCES || errno == unix.EPERM {
		t.refused = true
	}
	return inode, errno == 0
}

// maxMisses is after how many unused numbers in a row the descriptors that are
// left are listed, not guessed.
const maxMisses = 16

// sockets yields the descriptors from next on that are sockets, ascending, with
// the sockets' inodes. A table that was read in part goes on where it stopped.
func (t *table) sockets() iter.Seq2[int, uint64] {
	return func(yield func(int, uint64) bool) {
		for misses := 0; t.found < t.size && misses < maxMisses; misses++ {
			found := t.found
			if !t.visit(t.next, yield) {
				return
			}
			if t.found > found {
				misses = 0
			}
		}
		if t.found < t.size || t.size == 0 {
			t.list(yield)
		}
	}
}

// list yields what sockets does, from a listing of the directory. procfs lists
// numbers in ascending order (fs/proc/fd.c, proc_readfd_common).
func (t *table) list(yield func(int, uint64) bool) {
	if _, err := unix.Seek(t.dir, 0, unix.SEEK_SET); err != nil {
		return
	}
	buf := make([]byte, 8<<10)
	from := t.next
	for {
		n, err := unix.ReadDirent(t.dir, buf)
		if n <= 0 || err != nil {
			return
		}
		_, _, names := unix.ParseDirent(buf[:n], -1, nil)
		for _, name := range names {
			fd, err := strconv.Atoi(name)
			if err == nil && fd >= from && !t.visit(fd, yield) {
				return
			}
		}
	}
}

// visit looks at a descriptor, yields it if it is a socket, and reports whether to
// go on.
func (t *table) visit(fd int, yield func(int, uint64) bool) bool {
	if t.stopped = t.stop != nil && fd%64 == 63 && t.stop(); t.stopped {
		return false
	}
	inode, exists := t.look(fd)
	if t.refused {
		return false
	}
	t.next = fd + 1
	if exists {
		t.found++
	}
	return inode == 0 || yield(fd, inode)
}

// linkedInode returns the inode of the socket that a descriptor's link names, 0
// if it names something else. path ends in the NUL that the kernel wants. It is
// called for each row at each gather, and for each descriptor of a machine, so it
// does without what unix.Readlinkat allocates.
func linkedInode(dir int, path []byte) (inode uint64, errno unix.Errno) {
	var buf [64]byte
	n, _, errno := unix.Syscall6(unix.SYS_READLINKAT, uintptr(dir),
		uintptr(unsafe.Pointer(&path[0])), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0)
	if errno != 0 {
		return 0, errno
	}
	digits, ok := bytes.CutPrefix(buf[:n], []byte("socket:["))
	if !ok {
		return 0, 0
	}
	inode, err := strconv.ParseUint(string(bytes.TrimSuffix(digits, []byte("]"))), 10, 64)
	if err != nil {
		return 0, 0
	}
	return inode, 0
}

// holds reports whether the link, an absolute path, names the socket.
func (l link) holds(inode uint64) bool {
	got, _ := linkedInode(unix.AT_FDCWD, l)
	return got == inode
}

// threadTables returns the threads of a process that have a descriptor table of
// their own, after unshare(CLONE_FILES), one thread for each such table. A leader
// that has ended while other threads live has none left; then theirs counts as
// their own. That costs a third of a microsecond for each thread.
//
// It is kcmp(2) that tells tables apart. Where it does not know the process, in
// another PID namespace than procfs is of, or is refused, a table that has as
// many descriptors as the leader's is taken for the leader's.
func threadTables(root string, pid int, leaderEmpty bool) []int {
	path := root + "/" + strconv.Itoa(pid) + "/task"
	var st unix.Stat_t
	if err := unix.Stat(path, &st); err != nil || st.Nlink == 3 { // ".", ".." and the leader
		return nil
	}
	tids, err := listNumbers(path)
	if err != nil {
		return nil // it has ended
	}
	same := sameTable(root)
	var tables []int
	if !leaderEmpty {
		tables = []int{pid}
	}
	for _, tid := range tids {
		if tid == pid {
			continue
		}
		known := false
		for _, other := range tables {
			if known = same(pid, other, tid); known {
				break
			}
		}
		if !known {
			tables = append(tables, tid)
		}
		if len(tables) > maxTables {
			break
		}
	}
	if !leaderEmpty {
		tables = tables[1:]
	}
	return tables
}

// maxTables bounds the tables of one process that are told apart: each thread is
// compared with all of them.
const maxTables = 64

// sameTable returns what tells whether two threads of a process share a table.
func sameTable(root string) func(pid, a, b int) bool {
	self, err := os.Readlink(root + "/self")
	ours := err == nil && self == strconv.Itoa(os.Getpid())
	return func(pid, a, b int) bool {
		if ours {
			const kcmpFiles = 2 // include/uapi/linux/kcmp.h
			order, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(a), uintptr(b), kcmpFiles, 0, 0, 0)
			switch errno {
			case 0:
				return order == 0
			case unix.ESRCH:
				return true // one of them has ended: nothing to look at
			}
		}
		return tableSize(root, pid, a) == tableSize(root, pid, b)
	}
}

func tableSize(root string, pid, tid int) int64 {
	var st unix.Stat_t
	if unix.Stat(tablePath(root, pid, tid), &st) != nil {
		return -1
	}
	return st.Size
}

// privileged reports whether this process may make use of the capabilities that
// [NeedsPrivilege] names, over every process there is: if so, to name them would
// help nobody who is refused.
func privileged() bool {
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&hdr, &data[0]); err != nil {
		return false
	}
	has := func(c uint) bool { return data[0].Permitted>>c&1 != 0 }
	if !has(unix.CAP_SYS_PTRACE) || !has(unix.CAP_DAC_READ_SEARCH) && !has(unix.CAP_DAC_OVERRIDE) {
		return false
	}
	// In a user namespace they are of use over its own processes alone.
	users, err := os.ReadFile("/proc/self/uid_map")
	return err != nil || slices.Equal(strings.Fields(string(users)), []string{"0", "0", "4294967295"})
}

// cpuTime returns the processor time that this thread has used.
func cpuTime() time.Duration {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts) // which fails for an unknown clock only
	return time.Duration(ts.Nano())
}

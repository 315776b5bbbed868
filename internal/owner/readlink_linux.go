package owner

import (
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// readlinkat reads a link into buf, nil when it cannot. It is called for each
// row at each Gather, and for each descriptor of a machine, so it does without
// what unix.Readlinkat allocates; and the shorter the path from a directory
// that is open, the less there is for the kernel to look up.
func readlinkat(dir *os.File, path link, buf []byte) []byte {
	fd := unix.AT_FDCWD
	if dir != nil {
		fd = int(dir.Fd())
	}
	n, _, errno := unix.Syscall6(unix.SYS_READLINKAT, uintptr(fd),
		uintptr(unsafe.Pointer(&path[0])), uintptr(unsafe.Pointer(&buf[0])), uintptr(len(buf)), 0, 0)
	runtime.KeepAlive(dir)
	if errno != 0 {
		return nil
	}
	return buf[:n]
}

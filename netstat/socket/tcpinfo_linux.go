package socket

import (
	"fmt"
	"os"
	"unsafe"

	"golang.org/x/sys/unix"
)

// TCPInfoSize returns how many bytes the running kernel's struct tcp_info has. It
// does not keep the members beyond that. It asks a socket of its own.
func TCPInfoSize() (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, fmt.Errorf("find the size of tcp_info: %w", os.NewSyscallError("socket", err))
	}
	defer unix.Close(fd)
	var info [4 * tcpInfoLen]byte
	size := uint32(len(info))
	_, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.IPPROTO_TCP, unix.TCP_INFO,
		uintptr(unsafe.Pointer(&info)), uintptr(unsafe.Pointer(&size)), 0)
	if errno != 0 {
		return 0, fmt.Errorf("find the size of tcp_info: %w", os.NewSyscallError("getsockopt", errno))
	}
	return int(size), nil
}

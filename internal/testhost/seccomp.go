//go:build linux

package testhost

import (
	"os"
	"runtime"
	"testing"
	"unsafe"

	"golang.org/x/net/bpf"
	"golang.org/x/sys/unix"
)

// DenySockDiag has the kernel refuse to open NETLINK_SOCK_DIAG, with EPERM, to the goroutine that calls it and to the
// processes that it starts from now on. That goroutine must be the test's own.
func DenySockDiag(t *testing.T) {
	t.Helper()
	// The filter is the thread's for good, so the thread has to end with the test: it stays locked.
	runtime.LockOSThread()
	if err := denySockDiag(); err != nil {
		SkipOrFail(t, "cannot refuse sock_diag: "+err.Error())
	}
}

func denySockDiag() error {
	const (
		nr       = 0  // offsetof(struct seccomp_data, nr)
		domain   = 16 // args[0]: its low word, on a little-endian machine
		protocol = 32 // args[2]
		deny     = uint32(unix.SECCOMP_RET_ERRNO) | uint32(unix.EPERM)
	)
	program, err := bpf.Assemble([]bpf.Instruction{
		bpf.LoadAbsolute{Off: nr, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.SYS_SOCKET, SkipTrue: 5},
		bpf.LoadAbsolute{Off: domain, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.AF_NETLINK, SkipTrue: 3},
		bpf.LoadAbsolute{Off: protocol, Size: 4},
		bpf.JumpIf{Cond: bpf.JumpNotEqual, Val: unix.NETLINK_SOCK_DIAG, SkipTrue: 1},
		bpf.RetConstant{Val: deny},
		bpf.RetConstant{Val: unix.SECCOMP_RET_ALLOW},
	})
	if err != nil {
		return err
	}
	filter := make([]unix.SockFilter, len(program))
	for i, in := range program {
		filter[i] = unix.SockFilter{Code: in.Op, Jt: in.Jt, Jf: in.Jf, K: in.K}
	}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	fprog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	_, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, 0, uintptr(unsafe.Pointer(&fprog)))
	if errno != 0 {
		return os.NewSyscallError("seccomp", errno)
	}
	return nil
}

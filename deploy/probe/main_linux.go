// Command probe tries what a program that has been taken over would: to reach
// into another process. The tests of the unit and of the manifest run it in
// l4stat's place, with all that those allow and forbid.
//
//	probe victim FILE                       waits to be reached into, and says in FILE how
//	probe FILE                              tries, and prints NAME=ok, or NAME= and the kernel's error
//	probe confine FILTER PROGRAM [ARG]...   becomes PROGRAM, under the seccomp filter in the file FILTER
package main

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 3 && os.Args[1] == "victim":
		err = victim(os.Args[2])
	case len(os.Args) > 3 && os.Args[1] == "confine":
		err = confine(os.Args[2], os.Args[3:])
	case len(os.Args) == 2:
		err = probe(os.Args[1])
	default:
		err = errors.New("usage: probe [victim] FILE")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "probe:", err)
		os.Exit(1)
	}
}

// memory is what others are to reach for.
var memory = [8]byte{'o', 'l', 'd'}

func victim(file string) error {
	end := make(chan os.Signal, 1)
	signal.Notify(end, syscall.SIGTERM)
	text := fmt.Sprintf("%d %d\n", os.Getpid(), uintptr(unsafe.Pointer(&memory)))
	if err := os.WriteFile(file+".new", []byte(text), 0o644); err != nil {
		return err
	}
	if err := os.Rename(file+".new", file); err != nil {
		return err
	}
	<-end
	return nil
}

// confine does what a container runtime does last. no_new_privs has to be set.
func confine(filter string, args []string) error {
	code, err := os.ReadFile(filter) // an array of struct sock_filter
	if err != nil {
		return err
	}
	prog := unix.SockFprog{Len: uint16(len(code) / unix.SizeofSockFilter), Filter: (*unix.SockFilter)(unsafe.Pointer(&code[0]))}
	runtime.LockOSThread() // the thread that has the filter is to become the program
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0); err != nil {
		return os.NewSyscallError("prctl PR_SET_SECCOMP", err)
	}
	return syscall.Exec(args[0], args, os.Environ())
}

func probe(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var pid int
	var addr uintptr
	if _, err := fmt.Sscan(string(text), &pid, &addr); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	proc := "/proc/" + strconv.Itoa(pid)
	for _, try := range []struct {
		name string
		do   func() error
	}{
		// What the capabilities are for.
		{"readlink_fd", func() error { _, err := os.Readlink(proc + "/fd/0"); return err }},

		{"process_vm_writev", func() error { return vm(unix.SYS_PROCESS_VM_WRITEV, pid, addr) }},
		{"process_vm_readv", func() error { return vm(unix.SYS_PROCESS_VM_READV, pid, addr) }},
		{"ptrace", func() error { return ptrace(pid) }},
		{"pidfd_getfd", func() error { return getfd(pid) }},
		{"kcmp", func() error { return kcmp(pid) }},
		{"open_by_handle_at", byHandle},
		{"write_mem", func() error { return writeMem(proc, addr) }},
		{"write_own_mem", func() error { return writeMem("/proc/self", uintptr(unsafe.Pointer(&memory))) }},
		{"write_mem_outside", func() error { return writeMem("/proc/1/root"+proc, addr) }},
		{"read_mem", func() error { return readMem(proc, addr) }},
		{"create_outside", func() error { return create(filepath.Dir("/proc/1/root" + file)) }},
		{"unix_socket", unixSocket},
	} {
		result := "ok"
		if err := try.do(); err != nil {
			result = err.Error()
			if errno := syscall.Errno(0); errors.As(err, &errno) {
				result = unix.ErrnoName(errno)
			}
		}
		fmt.Printf("%s=%s\n", try.name, result)
	}
	return nil
}

func failed(errno syscall.Errno) error {
	if errno != 0 {
		return errno
	}
	return nil
}

func vm(call uintptr, pid int, addr uintptr) error {
	var buf [len(memory)]byte
	copy(buf[:], "new")
	local := unix.Iovec{Base: &buf[0]}
	local.SetLen(len(buf))
	remote := unix.RemoteIovec{Base: addr, Len: len(buf)}
	_, _, errno := unix.Syscall6(call, uintptr(pid), uintptr(unsafe.Pointer(&local)), 1, uintptr(unsafe.Pointer(&remote)), 1, 0)
	return failed(errno)
}

func ptrace(pid int) error {
	const seize = 0x4206 // PTRACE_SEIZE; the end of this program lets go
	_, _, errno := unix.Syscall6(unix.SYS_PTRACE, seize, uintptr(pid), 0, 0, 0, 0)
	return failed(errno)
}

func getfd(pid int) error {
	pidfd, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return err
	}
	defer unix.Close(pidfd)
	fd, err := unix.PidfdGetfd(pidfd, 0, 0)
	if err == nil {
		err = unix.Close(fd)
	}
	return err
}

func kcmp(pid int) error {
	const vm = 1 // KCMP_VM
	_, _, errno := unix.Syscall6(unix.SYS_KCMP, uintptr(pid), uintptr(os.Getpid()), vm, 0, 0, 0)
	return failed(errno)
}

// byHandle opens a file by its number, whatever can be seen of its file system.
// There is no such file: the kernel says so where it would open one.
func byHandle() error {
	mount, err := unix.Open("/proc", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(mount)
	fd, err := unix.OpenByHandleAt(mount, unix.NewFileHandle(1, make([]byte, 8)), unix.O_RDONLY|unix.O_CLOEXEC)
	if errors.Is(err, unix.ESTALE) {
		return nil
	}
	if err == nil {
		err = unix.Close(fd)
	}
	return err
}

func writeMem(proc string, addr uintptr) error {
	f, err := os.OpenFile(proc+"/mem", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteAt([]byte("new"), int64(addr))
	return err
}

func readMem(proc string, addr uintptr) error {
	f, err := os.Open(proc + "/mem")
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.ReadAt(make([]byte, len(memory)), int64(addr))
	return err
}

// create makes a file outside of what is mounted for this program.
func create(dir string) error {
	f, err := os.CreateTemp(dir, "probe")
	if err != nil {
		return err
	}
	return errors.Join(f.Close(), os.Remove(f.Name()))
}

func unixSocket() error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err == nil {
		err = unix.Close(fd)
	}
	return err
}

package privilege

import (
	"runtime"
	"syscall"
	"unsafe"
)

// This package imports nothing that depends on package time: see atstart, which
// has to come before that.

// Set is a set of capabilities: bit n stands for the capability of that number
// in include/uapi/linux/capability.h.
type Set uint64

const (
	dacReadSearch Set = 1 << 2  // CAP_DAC_READ_SEARCH: list /proc/PID/fd of another user's process
	sysPtrace     Set = 1 << 19 // CAP_SYS_PTRACE: read the links in it
)

// Needed are the capabilities that the programs have a use for.
const Needed = dacReadSearch | sysPtrace

// Capabilities are the sets of a thread, as capget(2) describes them.
type Capabilities struct{ Effective, Permitted, Inheritable Set }

// version is _LINUX_CAPABILITY_VERSION_3, which has 64 bits in two halves.
const version = 0x20080522

type header struct {
	version uint32
	pid     int32 // 0 is the calling thread
}

// half is struct __user_cap_data_struct.
type half struct{ effective, permitted, inheritable uint32 }

// Current returns the sets of the calling thread.
func Current() (Capabilities, error) {
	h, d := header{version: version}, [2]half{}
	_, _, errno := syscall.RawSyscall(syscall.SYS_CAPGET, uintptr(unsafe.Pointer(&h)), uintptr(unsafe.Pointer(&d)), 0)
	if errno != 0 {
		return Capabilities{}, errno
	}
	join := func(low, high uint32) Set { return Set(high)<<32 | Set(low) }
	return Capabilities{
		Effective:   join(d[0].effective, d[1].effective),
		Permitted:   join(d[0].permitted, d[1].permitted),
		Inheritable: join(d[0].inheritable, d[1].inheritable),
	}, nil
}

// Apply makes c the sets of the thread or threads on which syscall3 makes a
// system call. Ambient capabilities that c does not both permit and let inherit
// are lost.
func (c Capabilities) Apply(syscall3 func(trap, a1, a2, a3 uintptr) (r1, r2 uintptr, err syscall.Errno)) error {
	h := &header{version: version}
	d := &[2]half{
		{uint32(c.Effective), uint32(c.Permitted), uint32(c.Inheritable)},
		{uint32(c.Effective >> 32), uint32(c.Permitted >> 32), uint32(c.Inheritable >> 32)},
	}
	// The compiler does not see that the addresses are in use until the call ends.
	var pinned runtime.Pinner
	defer pinned.Unpin()
	pinned.Pin(h)
	pinned.Pin(d)
	_, _, errno := syscall3(syscall.SYS_CAPSET, uintptr(unsafe.Pointer(h)), uintptr(unsafe.Pointer(d)), 0)
	if errno != 0 {
		return errno
	}
	return nil
}

// Descriptors calls fn, which reads /proc/PID/fd of any process, and returns its
// error. If this program is permitted the capabilities of Needed, they are in
// effect meanwhile, for the goroutine that calls it and no other. fn must open
// nothing that a user or the environment names, apart from $HOST_PROC.
//
// It costs four system calls, some microseconds: it is for a whole search, not
// for each descriptor. Where there is nothing to put into effect it costs one.
//
// If the kernel refuses, as a seccomp filter may, Descriptors calls fn all the
// same, which then does not see other users' descriptors.
func Descriptors(fn func() error) error {
	// What is permitted is the same on all threads.
	if c, err := Current(); err != nil || c.lacks() == 0 {
		return fn()
	}
	// The runtime does not clone new threads from one that a goroutine is locked
	// to, so nothing inherits what is raised here.
	runtime.LockOSThread()
	lower, err := raise()
	if err != nil {
		runtime.UnlockOSThread()
		return fn()
	}
	defer func() {
		if err := lower(); err != nil {
			// Cannot happen: a thread may always give up what it has, and may
			// make this call, as it just did. The thread stays locked.
			panic("l4stat: cannot take capabilities out of effect: " + err.Error())
		}
		runtime.UnlockOSThread()
	}()
	return fn()
}

// lacks returns what is needed and permitted, but not in effect.
func (c Capabilities) lacks() Set { return Needed & c.Permitted &^ c.Effective }

// raise puts what is needed into effect on the calling thread, and returns what
// undoes it.
func raise() (lower func() error, err error) {
	before, err := Current()
	if err != nil {
		return nil, err
	}
	raised := before
	raised.Effective |= before.lacks()
	return func() error { return before.Apply(syscall.RawSyscall) }, raised.Apply(syscall.RawSyscall)
}

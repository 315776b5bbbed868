//go:build amd64 || arm64

package early

import (
	"syscall"
	"unsafe"
)

// sigaction is the kernel's struct of that name (asm-generic/signal.h), of which
// arm64 lacks restorer: the kernel takes no more than it knows.
type sigaction struct{ handler, flags, restorer, mask uintptr }

const (
	sigIgn  = 1 // SIG_IGN
	setSize = 8 // of the kernel's sigset_t, in bytes
)

var signals = [...]syscall.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2}

// before has what the runtime set, the zero value where it could not be asked.
var before [len(signals)]sigaction

func init() {
	for i, s := range signals {
		if _, _, e := syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), 0, uintptr(unsafe.Pointer(&before[i])), setSize, 0, 0); e != 0 || before[i].handler <= sigIgn {
			before[i] = sigaction{}
			continue
		}
		ignore := before[i]
		ignore.handler = sigIgn
		set(s, &ignore)
	}
}

// Listen gives the signals back to the runtime, which passes them to those whom
// os/signal knows to want them. Call it after signal.Notify.
func Listen() {
	for i, s := range signals {
		if before[i].handler != 0 {
			set(s, &before[i])
		}
	}
}

func set(s syscall.Signal, action *sigaction) {
	// Its errors are those of arguments that are none of these.
	_, _, _ = syscall.RawSyscall6(syscall.SYS_RT_SIGACTION, uintptr(s), uintptr(unsafe.Pointer(action)), 0, setSize, 0, 0)
}

package atstart

import (
	"errors"
	"syscall"

	"kernel.org/pub/linux/libs/security/libcap/psx"

	"github.com/l4stat/l4stat/internal/privilege"
)

const hostProc = "HOST_PROC"

// outcome is what init did, for Report.
var outcome struct {
	warning string
	err     error
}

func init() { outcome.warning, outcome.err = lower() }

// Report returns what there is to tell the user: a warning, or "", and why the
// program must not go on, or nil.
func Report() (warning string, err error) { return outcome.warning, outcome.err }

func lower() (warning string, err error) {
	if syscall.Getuid() != syscall.Geteuid() || syscall.Getgid() != syscall.Getegid() {
		return "", errors.New("this program must not be set-user-ID or set-group-ID: whoever runs it could read another's files; chmod ug-s it")
	}
	now, err := privilege.Current()
	if err != nil {
		return "", errors.New("get the capabilities of this process: " + err.Error())
	}
	if now.Permitted|now.Inheritable == 0 || syscall.Getuid() == 0 && now.Permitted&^privilege.Needed != 0 {
		return "", nil
	}
	// Without capabilities of a file a user other than root is permitted what is
	// ambient and nothing else (capabilities(7), "Transformation of capabilities
	// during execve()").
	fromFile := syscall.Getuid() != 0 && now.Permitted&^ambient(now.Permitted) != 0
	if err := (privilege.Capabilities{Permitted: now.Permitted & privilege.Needed}).Apply(psx.Syscall3); err != nil {
		if fromFile {
			return "", errors.New("take the capabilities of this program's file out of effect: " + err.Error())
		}
		return "capabilities stay in effect all the time, not just while processes are searched for sockets: capset: " + err.Error() +
			"; allow this system call", nil
	}
	if _, set := syscall.Getenv(hostProc); set && fromFile {
		if err := syscall.Unsetenv(hostProc); err != nil {
			return "", errors.New("ignore " + hostProc + ": " + err.Error())
		}
		return hostProc + " is ignored, since this program's file has capabilities (setcap): /proc is read; " +
			"to use " + hostProc + ", have a service manager give the capabilities", nil
	}
	return "", nil
}

// ambient returns those of the capabilities in of that are ambient.
func ambient(of privilege.Set) privilege.Set {
	const prCapAmbient, isSet = 47, 1 // PR_CAP_AMBIENT, PR_CAP_AMBIENT_IS_SET of include/uapi/linux/prctl.h
	var found privilege.Set
	for n := range uintptr(64) {
		if of&(1<<n) == 0 {
			continue
		}
		if is, _, errno := syscall.RawSyscall6(syscall.SYS_PRCTL, prCapAmbient, isSet, n, 0, 0, 0); errno == 0 && is == 1 {
			found |= 1 << n
		}
	}
	return found
}

package kernel

import (
	"encoding/binary"
	"syscall"
)

// AnswerError returns the error with which the kernel ends an answer: what
// NLMSG_ERROR begins with and, since Linux 2.6.36, NLMSG_DONE, 0 or a negated errno.
// An end that is too short for one is that of an older kernel, and no error.
func AnswerError(msg []byte) error {
	if len(msg) < 4 {
		return nil
	}
	if n := int32(binary.NativeEndian.Uint32(msg)); n < 0 {
		return syscall.Errno(-n)
	}
	return nil
}

//go:build unix

package emit

import (
	"errors"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// nonblock has the opening of a FIFO without a reader fail rather than wait.
const nonblock = unix.O_NONBLOCK

// lockTries and lockPause bound the wait for another's lock. One who appends holds
// it for a moment; who holds it longer, such as flock(1) around this very
// program, is not waited for.
const (
	lockTries = 20
	lockPause = 5 * time.Millisecond
)

// lock takes the file's lock, and returns what releases it; locked is false where
// another has it. A file system without locks is as good as locked.
func lock(f *os.File) (locked bool, unlock func()) {
	for range lockTries {
		switch err := flock(f, unix.LOCK_EX|unix.LOCK_NB); {
		case err == nil:
			return true, func() { _ = flock(f, unix.LOCK_UN) }
		case !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR):
			return true, func() {}
		}
		time.Sleep(lockPause)
	}
	return false, func() {}
}

func flock(f *os.File, how int) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	if controlErr := raw.Control(func(fd uintptr) { err = unix.Flock(int(fd), how) }); controlErr != nil {
		return controlErr
	}
	return err
}

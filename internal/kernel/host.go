// Package kernel is where the kernel is asked: which procfs, and connections to
// its netlink. A [Host] is given to everything that reads, so that one program can
// read several.
package kernel

import (
	"os"
	"path/filepath"
)

// Host is where to read. [This] returns that of the program.
type Host struct {
	proc string
}

// This returns the host that the program runs on, with procfs where the
// environment's HOST_PROC has it, which a container sets to its mount of the
// host's, else at /proc.
func This() Host { return At(os.Getenv("HOST_PROC")) }

// At returns the host whose procfs is mounted at proc; "" is /proc.
func At(proc string) Host {
	if proc == "" {
		proc = "/proc"
	}
	return Host{proc: proc}
}

// Proc returns the path of a file of procfs, such as Proc("sys", "net"), and
// without names that of procfs itself.
func (h Host) Proc(names ...string) string {
	return filepath.Join(append([]string{h.proc}, names...)...)
}

package connstat

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/internal/printable"
)

// cgroups are the cgroups v2 of a tree, by their ID: the inode of the directory.
type cgroups map[uint64]string

// findCgroups finds the cgroups that are there: all of them, or with a path that
// one and those below it. A path is one of /proc/PID/cgroup or of the file system.
func findCgroups(procRoot, path string) (cgroups, error) {
	root, err := cgroupMount(filepath.Join(procRoot, "self", "mountinfo"))
	if err != nil {
		return nil, err
	}
	// What is no cgroup2 may be as large as a disk.
	var system unix.Statfs_t
	if err := unix.Statfs(root, &system); err != nil || int64(system.Type) != unix.CGROUP2_SUPER_MAGIC {
		return nil, fmt.Errorf("find cgroups: %s names %s, which is no cgroup2", filepath.Join(procRoot, "self", "mountinfo"), printable.Text(root))
	}
	dir := filepath.Clean("/" + path)
	if dir != root && !strings.HasPrefix(dir, root+"/") {
		dir = filepath.Join(root, dir)
	}
	found := cgroups{}
	err = filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) && name != dir {
			return nil // removed meanwhile
		}
		if err != nil {
			return fmt.Errorf("find cgroups: %w", err)
		}
		if !entry.IsDir() {
			return nil
		}
		info, err := entry.Info()
		if err != nil {
			return nil // removed meanwhile
		}
		stat, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			return fmt.Errorf("find cgroups: no inode of %s", name)
		}
		found[stat.Ino] = "/" + strings.TrimPrefix(strings.TrimPrefix(name, root), "/")
		return nil
	})
	return found, err
}

// cgroupMount finds where cgroup2 is mounted. A line of mountinfo, as
// proc_pid_mountinfo(5) has it:
//
//	36 35 98:0 / /sys/fs/cgroup rw,noatime master:1 - cgroup2 cgroup2 rw
func cgroupMount(mountinfo string) (string, error) {
	text, err := os.ReadFile(mountinfo)
	if err != nil {
		return "", fmt.Errorf("find where cgroup2 is mounted: %w", err)
	}
	for line := range bytes.Lines(text) {
		mount, system, _ := bytes.Cut(line, []byte(" - "))
		fields := strings.Fields(string(mount))
		if kind := strings.Fields(string(system)); len(kind) > 0 && kind[0] == "cgroup2" && len(fields) > 4 && filepath.IsAbs(fields[4]) {
			return unescape(fields[4]), nil
		}
	}
	return "", fmt.Errorf("%s has no cgroup2: without cgroup v2 sockets have no cgroup", mountinfo)
}

// unescape reads \040 and the like, which stand for a space, tab, newline or
// backslash.
func unescape(path string) string {
	if unquoted, err := strconv.Unquote(`"` + strings.ReplaceAll(path, `"`, `\"`) + `"`); err == nil {
		return unquoted
	}
	return path
}

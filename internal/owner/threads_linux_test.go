package owner

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// roleMarker is the environment variable that makes the test binary a process
// with a socket that is hard to find; its value says which.
const roleMarker = "L4STAT_TEST_OWNER"

const (
	roleThread = "thread" // a thread with a table of its own, as long as the leader's
	roleZombie = "zombie" // a leader that has ended, while other threads live
	roleBoth   = "both"
)

func init() {
	if os.Getenv(roleMarker) != "" {
		runtime.LockOSThread() // main is to run on the leader
	}
}

func TestMain(m *testing.M) {
	if role := os.Getenv(roleMarker); role != "" {
		hide(role)
		return
	}
	os.Exit(m.Run())
}

// hide opens a socket as its role says, prints its inode and waits until standard
// input ends, at the latest when the test does.
func hide(role string) {
	opened := make(chan string)
	go func() {
		if role != roleZombie {
			runtime.LockOSThread() // for good: the thread ends with its table
			must(unix.Unshare(unix.CLONE_FILES))
		}
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM, 0)
		must(err)
		target, err := os.Readlink(fmt.Sprintf("/proc/thread-self/fd/%d", fd))
		must(err)
		opened <- target
		_, _ = io.Copy(io.Discard, os.Stdin)
		os.Exit(0)
	}()
	target := <-opened
	_, err := unix.Open("/dev/null", unix.O_RDONLY, 0) // so that the tables have the same size
	must(err)
	fmt.Println(target)
	if role != roleThread {
		_, _, _ = unix.Syscall(unix.SYS_EXIT, 0, 0, 0) // of this thread alone
	}
	select {}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// startHidden starts a process that hides a socket, and returns its ID and the
// socket's inode.
func startHidden(t *testing.T, role string) (pid int, inode uint64) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), roleMarker+"="+role)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Wait()
	})
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Sscanf(line, "socket:[%d]", &inode); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return cmd.Process.Pid, inode
}

// TestThreads has sockets that /proc/PID/fd does not show.
func TestThreads(t *testing.T) {
	for _, role := range []string{roleThread, roleZombie, roleBoth} {
		t.Run(role, func(t *testing.T) {
			t.Parallel()
			pid, inode := startHidden(t, role)
			if role != roleThread {
				waitForZombie(t, pid)
			}
			f := New("/proc")
			for _, from := range []string{"a walk", "memory"} {
				rows := []Row{{Inodes: list(inode)}}
				if err := f.Find(context.Background(), rows); err != nil || rows[0].PID != pid {
					t.Errorf("from %s the owner is %d, error %v; want %d", from, rows[0].PID, err, pid)
				}
			}
			for _, only := range []int{0, pid} {
				h, err := FindHolders(context.Background(), "/proc", only, "")
				if err != nil || h.Of(inode).PID != pid {
					t.Errorf("of process %d (0: all) the holder is %v, error %v; want %d", only, h.Of(inode), err, pid)
				}
			}
		})
	}
}

func waitForZombie(t *testing.T, pid int) {
	t.Helper()
	for {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(stat), ") Z ") {
			return
		}
		if t.Context().Err() != nil {
			t.Fatal("the leader did not end")
		}
		runtime.Gosched()
	}
}

// TestThreadTables has threads that share the leader's table, as nearly all do:
// none of them is read a second time.
func TestThreadTables(t *testing.T) {
	var threads []chan struct{}
	for range 8 {
		running, end := make(chan struct{}), make(chan struct{})
		go func() {
			runtime.LockOSThread()
			defer runtime.UnlockOSThread()
			close(running)
			<-end
		}()
		<-running
		threads = append(threads, end)
	}
	if tables := threadTables("/proc", os.Getpid(), false); len(tables) != 0 {
		t.Errorf("threads %v have tables of their own, want none", tables)
	}
	if tables := threadTables("/proc", os.Getpid(), true); len(tables) != 1 {
		t.Errorf("without the leader threads %v have tables, want one", tables)
	}
	for _, end := range threads {
		close(end)
	}
}

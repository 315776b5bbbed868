//go:build linux

package testhost

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// marker is the environment variable that tells a child of Enter what it is.
const marker = "L4STAT_TESTHOST"

// entered reports whether this process is a child of Enter. It removes the marker, so that no program which the test
// starts takes itself for one.
var entered = sync.OnceValue(func() bool {
	defer os.Unsetenv(marker)
	return os.Getenv(marker) != ""
})

// Enter runs the calling test in a network namespace of its own. It starts the test binary again for this test alone
// and reports true there; in the process that called it first it waits for that child, passes, fails or skips as the
// child did, and reports false:
//
//	if !testhost.Enter(t) {
//		return
//	}
//
// It should be the first statement of the test: what comes before runs twice, as does TestMain. A subtest may call it
// too; its parents then run again in the child as far as that subtest. Everything in the child is inside the namespace,
// programs it starts included, and /proc/net shows only what is there; /sys/class/net still shows what is outside.
//
// With -short it skips the test. It costs one process, some 10 ms. The cache of go test does not see which files the child reads.
func Enter(t *testing.T) bool {
	t.Helper()
	if entered() {
		return true
	}
	if testing.Short() {
		t.Skip("makes a network namespace")
	}
	out, started, err := runChild(t)
	if !started {
		SkipOrFail(t, "cannot make a network namespace: "+err.Error())
	}
	report := regexp.MustCompile(`--- (PASS|SKIP): ` + regexp.QuoteMeta(t.Name()) + ` \(`).FindSubmatch(out)
	switch {
	case err != nil:
		t.Fatalf("in its namespace: %v\n%s", err, out)
	case report == nil:
		t.Fatalf("in its namespace the test did not run to its end:\n%s", out)
	case string(report[1]) == "SKIP":
		t.Skipf("in its namespace:\n%s", out)
	}
	t.Logf("in its namespace:\n%s", out)
	return false
}

// runChild runs the test in a new namespace and returns its output, and whether there was such a child at all.
func runChild(t *testing.T) (out []byte, started bool, err error) {
	// The kernel sends Pdeathsig when the thread that made the child ends, not the process: keep the thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()

	var buf bytes.Buffer
	cmd := childCommand(t, &buf, &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET})
	err = cmd.Start()
	if errors.Is(err, os.ErrPermission) { // not root: become root of a user namespace first
		cmd = childCommand(t, &buf, &syscall.SysProcAttr{
			Cloneflags:  syscall.CLONE_NEWUSER | syscall.CLONE_NEWNET,
			UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getuid(), Size: 1}},
			GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getgid(), Size: 1}},
		})
		err = cmd.Start()
	}
	if err != nil {
		return nil, false, err
	}
	err = cmd.Wait()
	return buf.Bytes(), true, err
}

// childCommand is the command that runs t, and nothing else, in a child made as attr says.
func childCommand(t *testing.T, out *bytes.Buffer, attr *syscall.SysProcAttr) *exec.Cmd {
	var pattern []string
	for name := range strings.SplitSeq(t.Name(), "/") {
		pattern = append(pattern, "^"+regexp.QuoteMeta(name)+"$")
	}
	args := []string{"-test.v", "-test.count=1", "-test.run=" + strings.Join(pattern, "/"), "-test.timeout=0"}
	if deadline, ok := t.Deadline(); ok {
		left := time.Until(deadline)
		// A little less than this process has, so that a child that hangs gets to say where.
		args[len(args)-1] = "-test.timeout=" + max(left-left/10, 1).String()
	}
	flag.Visit(func(f *flag.Flag) {
		// The flags of go test speak of this process, its output files above all. The two that do not: short, and the
		// directory in which coverage of the child is added to that of its parent.
		if !strings.HasPrefix(f.Name, "test.") || f.Name == "test.short" || f.Name == "test.gocoverdir" {
			args = append(args, "-"+f.Name+"="+f.Value.String())
		}
	})

	cmd := exec.CommandContext(t.Context(), "/proc/self/exe", args...)
	cmd.Args[0] = os.Args[0]
	// Under the race detector a process sleeps a second before it ends, unless told otherwise.
	cmd.Env = append(os.Environ(), marker+"=1", "GORACE=atexit_sleep_ms=0 "+os.Getenv("GORACE"))
	cmd.Stdout, cmd.Stderr = out, out
	cmd.WaitDelay = time.Second // for what the child left behind, holding its output open
	cmd.SysProcAttr = attr
	cmd.SysProcAttr.Pdeathsig = syscall.SIGKILL
	return cmd
}

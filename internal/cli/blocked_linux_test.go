package cli

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/internal/peers"
)

// TestEmitBlockedPipe has a reader that does not read: a signal still ends the
// program, which says that something was lost.
func TestEmitBlockedPipe(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	t.Parallel()
	cmd := program(t, nil, "emit", "--interval", "1ms")
	var diag bytes.Buffer
	cmd.Stderr = &diag
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	defer func() { _ = cmd.Process.Kill() }()
	// A first byte shows that it runs; then the pipe fills and takes no more.
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := waitBlocked(r); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || strings.Count(peers.WithoutPace(diag.String()), "\n") != 1 || !strings.Contains(diag.String(), "metrics were not delivered: not taken within") {
		t.Errorf("ended with %v, standard error %q; want exit code %d and that something was lost", err, diag.String(), exitFailed)
	}
}

// waitBlocked waits until the bytes in a pipe stay the same for a while.
func waitBlocked(r *os.File) error {
	const still = 20 // looks that find no change
	before, same := -1, 0
	for end := time.Now().Add(time.Minute); same < still; time.Sleep(10 * time.Millisecond) {
		n, err := unix.IoctlGetInt(int(r.Fd()), unix.TIOCINQ)
		if err != nil {
			return os.NewSyscallError("FIONREAD", err)
		}
		if same++; n != before {
			before, same = n, 0
		}
		if time.Now().After(end) {
			return errors.New("the pipe never filled")
		}
	}
	return nil
}

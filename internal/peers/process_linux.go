package peers

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience is how long to wait for a program to do what it does at once, unless
// the machine is very busy.
const Patience = 60 * time.Second

// Process is a program that runs until it ends or is stopped, at the latest
// when the test ends.
type Process struct {
	*exec.Cmd
	t    testing.TB
	log  syncBuffer
	done chan struct{} // closed when it has ended
	err  error         // how, once done is closed
}

// Start starts a command. What it writes to standard error, and to standard
// output where cmd does not say otherwise, is kept for Log.
func Start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{Cmd: cmd, t: t, done: make(chan struct{})}
	cmd.Stderr = &p.log
	if cmd.Stdout == nil {
		cmd.Stdout = &p.log
	}
	cmd.WaitDelay = time.Second // for a child that keeps its output open
	if err := cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", cmd.Path, err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(p.Stop)
	return p
}

// Log gives what the program wrote so far.
func (p *Process) Log() string { return p.log.String() }

// Running reports whether the program has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Wait waits until the program has ended and gives how: nil for exit code 0.
func (p *Process) Wait() error {
	p.t.Helper()
	select {
	case <-p.done:
		return p.err
	case <-time.After(Patience):
		p.t.Fatalf("%s does not end:\n%s", p.Path, p.Log())
		return nil
	}
}

// Signal sends a signal; a program that has ended is no error.
func (p *Process) Signal(s syscall.Signal) {
	p.t.Helper()
	if err := p.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		p.t.Errorf("send %v to %s: %v", s, p.Path, err)
	}
}

// Stop ends the program, by SIGTERM and if need be by SIGKILL.
func (p *Process) Stop() {
	p.t.Helper()
	p.Signal(syscall.SIGTERM)
	select {
	case <-p.done:
	case <-time.After(Patience):
		p.t.Errorf("%s does not end by SIGTERM:\n%s", p.Path, p.Log())
		p.Signal(syscall.SIGKILL)
		<-p.done
	}
}

// Until waits until done reports true; what says what for.
func Until(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(Patience); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited %v in vain: %s", Patience, what)
		}
	}
}

// syncBuffer is a buffer that a program writes while a test reads.
type syncBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

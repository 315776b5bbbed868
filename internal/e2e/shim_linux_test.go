package e2e

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/internal/peers"
)

// TestShimSilentReader has nobody read the shim's rows: it still ends within the 5 s
// that Telegraf gives it, and says what was lost.
func TestShimSilentReader(t *testing.T) {
	t.Parallel()
	shim := peers.Ours(t, "./cmd/telegraf-netstat")
	conf := file(t, "netstat.conf", "[[inputs.netstat]]\ninterval = \"1ms\"\n")
	for name, end := range map[string]func(*exec.Cmd, io.Closer) error{
		"the end of standard input": func(_ *exec.Cmd, in io.Closer) error { return in.Close() },
		"SIGTERM":                   func(cmd *exec.Cmd, _ io.Closer) error { return cmd.Process.Signal(syscall.SIGTERM) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer r.Close()
			cmd := exec.Command(shim, "--config", conf)
			in, err := cmd.StdinPipe()
			if err != nil {
				t.Fatal(err)
			}
			defer in.Close()
			var diag bytes.Buffer
			cmd.Stdout, cmd.Stderr = w, &diag
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill() }()
			_ = w.Close()
			peers.Until(t, "the shim writes no more", func() bool {
				before, err := unix.IoctlGetInt(int(r.Fd()), unix.TIOCINQ)
				if err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second / 2)
				after, err := unix.IoctlGetInt(int(r.Fd()), unix.TIOCINQ)
				return err == nil && before > 0 && before == after
			})
			if err := end(cmd, in); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			done := make(chan error, 1)
			go func() { done <- cmd.Wait() }()
			select {
			case <-done:
			case <-time.After(10 * time.Second):
				t.Fatal("the shim has not ended after 10 s")
			}
			if took := time.Since(start); took > 5*time.Second {
				t.Errorf("the shim took %v to end", took)
			}
			if code := cmd.ProcessState.ExitCode(); code != 1 || !strings.Contains(diag.String(), "E! close standard output: ") || !strings.Contains(diag.String(), "metrics were not delivered") {
				t.Errorf("exit code %d, standard error %q; want 1 and what was lost", code, diag.String())
			}
		})
	}
}

// TestShimLongLine has a line of any length be one that asks, and take no memory.
func TestShimLongLine(t *testing.T) {
	t.Parallel()
	shim := peers.Ours(t, "./cmd/telegraf-netstat")
	cmd := exec.Command(shim, "--config", file(t, "netstat.conf", "[[inputs.netstat]]\ninterval = \"1h\"\n"))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := peers.Start(t, cmd)
	rows := func(n int) func() bool {
		return func() bool {
			if !p.Running() {
				t.Fatalf("the shim has ended:\n%s", p.Log())
			}
			return strings.Count(p.Log(), "\n") == n
		}
	}
	peers.Until(t, "the first rows", rows(2))
	line := bytes.Repeat([]byte{'x'}, 64<<20)
	for i, length := range []int{64 << 10, len(line)} {
		if _, err := in.Write(append(line[:length:length], '\n')); err != nil {
			t.Fatal(err)
		}
		peers.Until(t, "the rows that a line asks for", rows(2*(i+2)))
	}
	status, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(cmd.Process.Pid), "status"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(status), "VmHWM:")
	kilobytes, err := strconv.Atoi(strings.Fields(text)[0])
	if err != nil || kilobytes > 48<<10 {
		t.Errorf("the shim took %d KB at its peak (%v)", kilobytes, err)
	}
	_ = in.Close()
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
}

// TestShimWithoutInput has standard input be at its end from the start: each block
// is gathered once, and what a line asked for before.
func TestShimWithoutInput(t *testing.T) {
	t.Parallel()
	shim := peers.Ours(t, "./cmd/telegraf-netstat")
	const block = "[[inputs.netstat]]\ninterval = \"1h\"\n"
	conf := file(t, "netstat.conf", block+block)
	for input, tt := range map[string]struct{ times, rows int }{"": {20, 2 * 2}, "\n": {5, 2 * 2 * 2}, "\n\n\n": {5, 2 * 2 * 2}} {
		for range tt.times {
			cmd := exec.Command(shim, "--config", conf)
			cmd.Stdin = nil // /dev/null
			if input != "" {
				cmd.Stdin = strings.NewReader(input)
			}
			out, err := cmd.Output()
			if n := bytes.Count(out, []byte("\n")); err != nil || n != tt.rows {
				t.Errorf("standard input %q: %d rows (%v), want %d", input, n, err, tt.rows)
			}
		}
	}
}

// survivors starts a program again and again, sends it SIGHUP as long after exec,
// and returns how many of them go on until their standard input ends.
func survivors(t *testing.T, times int, after time.Duration, path string, args ...string) int {
	t.Helper()
	alive := 0
	for range times {
		cmd := exec.Command(path, args...)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil { // once the kernel has run exec
			t.Fatal(err)
		}
		for start := time.Now(); time.Since(start) < after; {
			// time.Sleep would be late by more than this is about.
		}
		_ = cmd.Process.Signal(syscall.SIGHUP) // an error says that it has ended
		_ = in.Close()
		if cmd.Wait() == nil {
			alive++
		}
	}
	return alive
}

// TestShimSignalAtOnce has Telegraf ask for the first time while the shim starts.
// No program outlives a signal that comes before it could listen: this holds that
// the shim, a hundred times, outlives one that comes as early as the least program
// does that does nothing but listen.
func TestShimSignalAtOnce(t *testing.T) {
	if testing.Short() {
		t.Skip("starts some hundreds of processes")
	}
	shim := peers.Ours(t, "./cmd/telegraf-netstat")
	least := least(t)
	conf := file(t, "netstat.conf", "[[inputs.netstat]]\ninterval = \"1h\"\n")
	after := time.Millisecond
	for survivors(t, 10, after, least) < 10 {
		if after *= 2; after > time.Second {
			t.Fatal("the least program does not outlive a signal after a second")
		}
	}
	const times = 100
	got, want := 0, 0
	for range times / 10 { // by turns, for the machine's load changes
		got += survivors(t, 10, after, shim, "--config", conf)
		want += 2 * survivors(t, 5, after, least)
	}
	t.Logf("%v after exec, %d of %d shims go on and %d %% of the least programs", after, got, times, want)
	if got < want-25 {
		t.Errorf("%v after exec, %d of %d shims go on, and %d %% of the least programs", after, got, times, want)
	}
}

// least builds a program that listens to SIGHUP and waits for the end of its
// standard input.
func least(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{
		"go.mod": "module least\n\ngo 1.26\n",
		"main.go": `package main

import (
	"io"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP)
	_, _ = io.Copy(io.Discard, os.Stdin)
}
`,
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("go", "build", "-o", "least", ".")
	cmd.Dir, cmd.Env = dir, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return filepath.Join(dir, "least")
}

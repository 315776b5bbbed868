package cli

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A reader that goes away does not end the run for the other outputs.
func TestEmitClosedPipeUnreachable(t *testing.T) {
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	file := filepath.Join(t.TempDir(), "out.lp")
	cmd := program(t, nil, "emit", "--interval", "10ms", "--output", "-", "--output", unreachable(t), "--output", file)
	diag, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	defer func() { _ = cmd.Process.Kill() }()
	go func() {
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if text, err := os.ReadFile(file); err == nil && strings.Count(string(text), "\n") >= 20 {
				break
			}
		}
		_ = cmd.Process.Signal(syscall.SIGTERM)
	}()
	text, err := io.ReadAll(diag)
	if err != nil {
		t.Fatal(err)
	}
	err = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitFailed {
		t.Errorf("ended with %v, want exit code %d for what was not delivered", err, exitFailed)
	}
	for _, want := range []string{"standard output was closed by its reader; continuing with the other outputs", "metrics were not delivered"} {
		if strings.Count(string(text), want) != 1 {
			t.Errorf("standard error does not have %q once:\n%s", want, text)
		}
	}
	points, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(parse(t, string(points))); n < 20 {
		t.Errorf("the file has %d rows, want 20 and more", n)
	}
}

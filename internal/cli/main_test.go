package cli

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/peers"
)

// mainMarker is the environment variable that makes the test binary the program
// itself, so that tests can run it as a process.
const mainMarker = "L4STAT_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainMarker) != "" {
		os.Exit(Main(os.Args[1:], os.Stdout, os.Stderr))
	}
	peers.DefaultHangups()
	os.Exit(m.Run())
}

// program makes a command that runs l4stat with those arguments and, beside this
// process's, those environment variables.
func program(t *testing.T, env []string, args ...string) *exec.Cmd {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe, args...)
	cmd.Env = append(append(os.Environ(), mainMarker+"=1", "GORACE=atexit_sleep_ms=0"), env...)
	return cmd
}

// run runs l4stat to its end.
func run(t *testing.T, env []string, args ...string) (stdout, stderr string, code int) {
	t.Helper()
	cmd := program(t, env, args...)
	var out, diag bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &diag
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), diag.String(), cmd.ProcessState.ExitCode()
}

// checkFailure checks that a run failed with that code, one line of diagnostics
// with all of those words in it, and no results.
func checkFailure(t *testing.T, stdout, stderr string, code, wantCode int, words ...string) {
	t.Helper()
	if code != wantCode {
		t.Errorf("exit code %d, want %d", code, wantCode)
	}
	if stdout != "" {
		t.Errorf("standard output has %q, want nothing", stdout)
	}
	if strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, "l4stat: ") {
		t.Errorf("standard error has %q, want one line", stderr)
	}
	for _, word := range words {
		if !strings.Contains(stderr, word) {
			t.Errorf("standard error does not have %q: %s", word, stderr)
		}
	}
}

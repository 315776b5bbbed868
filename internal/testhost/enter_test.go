//go:build linux

package testhost_test

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/l4stat/l4stat/internal/testhost"
)

// asked names the variable with which TestEnter asks TestOutcome for an outcome.
const asked = "TESTHOST_OUTCOME"

// TestOutcome is not a test of anything: it is what TestEnter runs.
func TestOutcome(t *testing.T) {
	outcome := os.Getenv(asked)
	if outcome == "" {
		t.Skip("run by TestEnter")
	}
	t.Run("in a (sub)test", func(t *testing.T) {
		if !testhost.Enter(t) {
			return
		}
		t.Log("in the child")
		switch outcome {
		case "fail":
			t.Error("because it was asked to")
		case "skip":
			t.Skip("because it was asked to")
		case "skip or fail":
			testhost.SkipOrFail(t, "because it was asked to")
		case "exit":
			os.Exit(0)
		case "panic":
			panic("because it was asked to")
		}
	})
}

func TestEnter(t *testing.T) {
	if !testhost.Enter(t) { // where there are no namespaces, this test has nothing to see
		return
	}
	tests := []struct {
		outcome, ci  string
		report, says string // of the parent
	}{
		{"pass", "true", "PASS", "in the child"},
		{"fail", "", "FAIL", "because it was asked to"},
		{"skip", "true", "SKIP", "because it was asked to"},
		{"skip or fail", "", "SKIP", "because it was asked to"},
		{"skip or fail", "true", "FAIL", "because it was asked to"},
		{"exit", "", "FAIL", "did not run to its end"},
		{"panic", "", "FAIL", "panic: because it was asked to"},
	}
	for _, tt := range tests {
		t.Run(tt.outcome+tt.ci, func(t *testing.T) {
			cmd := exec.Command("/proc/self/exe", "-test.v", "-test.run=^TestOutcome$")
			cmd.Env = append(os.Environ(), asked+"="+tt.outcome, "CI="+tt.ci)
			out, err := cmd.CombinedOutput()
			if (err != nil) != (tt.report == "FAIL") {
				t.Errorf("ended with error %v", err)
			}
			// The child's own report is inside the parent's log, further to the right.
			report := `(?m)^    --- ` + tt.report + `: TestOutcome/in_a_\(sub\)test `
			if !regexp.MustCompile(report).Match(out) {
				t.Errorf("the parent did not report %s", tt.report)
			}
			if !bytes.Contains(out, []byte(tt.says)) {
				t.Errorf("the parent did not say %q", tt.says)
			}
			if t.Failed() {
				t.Logf("output:\n%s", out)
			}
		})
	}
}

// TestEnterAlone makes sure that the namespace is not the one outside, and holds nothing yet.
func TestEnterAlone(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	if len(links) != 1 || links[0].Flags&net.FlagLoopback == 0 || links[0].Flags&net.FlagUp != 0 {
		t.Errorf("interfaces %v, want loopback, down", links)
	}
}

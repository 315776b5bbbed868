package counters

import (
	"context"
	"encoding/json"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/internal/testhost"
)

// tool runs a program that the test compares with, or changes its namespace by,
// with those lines on standard input.
func tool(t *testing.T, pkg, input string, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath(args[0])
	if err != nil {
		testhost.SkipOrFail(t, "needs "+args[0]+" (Debian: "+pkg+")")
	}
	cmd := exec.Command(path, args[1:]...)
	cmd.Stdin = strings.NewReader(input)
	var diag strings.Builder
	cmd.Stderr = &diag
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s with %q: %v\n%s", strings.Join(args, " "), input, err, diag.String())
	}
	return out
}

// ip runs commands of ip, a line each, about an IP version.
func ip(t *testing.T, version string, commands ...string) {
	t.Helper()
	tool(t, "iproute2", strings.Join(commands, "\n")+"\n", "ip", "-"+version, "-batch", "-")
}

// ipJSON decodes what an ip command answers.
func ipJSON[T any](t *testing.T, args ...string) (answer []T) {
	t.Helper()
	out := tool(t, "iproute2", "", append([]string{"ip", "-j"}, args...)...)
	if len(strings.TrimSpace(string(out))) == 0 {
		return nil
	}
	if err := json.Unmarshal(out, &answer); err != nil {
		t.Fatalf("ip -j %s: %v in\n%s", strings.Join(args, " "), err, out)
	}
	return answer
}

// read reads a set, and gives the figures of its rows by their tags.
func read(t *testing.T, s *Set) map[string]map[string]any {
	t.Helper()
	rows, err := s.Read(context.Background(), kernel.At("/proc"))
	if err != nil {
		t.Fatalf("%s: %v", s.Name, err)
	}
	byTags := map[string]map[string]any{}
	for _, row := range rows {
		figures := map[string]any{}
		for _, v := range row.Fields {
			figures[v.Key] = v.Value.Any()
		}
		byTags[strings.Join(row.Tags, " ")] = figures
	}
	return byTags
}

// until waits for what the kernel does in a moment.
func until(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what)
		}
	}
}

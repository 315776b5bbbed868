package cli

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/l4stat/l4stat/internal/testhost"
)

// pane is a tmux of its own with one pane.
type pane struct {
	t    *testing.T
	tmux string
	args []string
}

// newPane runs l4stat watch in a terminal.
func newPane(t *testing.T, width, height int, env []string, args ...string) *pane {
	t.Helper()
	tmux, err := exec.LookPath("tmux")
	if err != nil {
		testhost.SkipOrFail(t, "needs tmux (Debian: tmux)")
	}
	// A socket's path may not be long, as that of t.TempDir is.
	dir, err := os.MkdirTemp("", "l4stat")
	if err != nil {
		t.Fatal(err)
	}
	p := &pane{t, tmux, []string{"-S", filepath.Join(dir, "s"), "-f", "/dev/null"}}
	t.Cleanup(func() {
		_ = exec.Command(tmux, append(p.args, "kill-server")...).Run() // there is none where it did not start
		_ = os.RemoveAll(dir)
	})
	cmd := program(t, env, append([]string{"watch"}, args...)...)
	start := append(p.args, "new-session", "-d", "-x", fmt.Sprint(width), "-y", fmt.Sprint(height))
	for _, e := range append([]string{mainMarker + "=1", "NO_COLOR="}, env...) {
		start = append(start, "-e", e)
	}
	// The pane stays to be read when the program has ended.
	start = append(start, strings.Join(cmd.Args, " ")+"; echo ended with $?; exec sleep 600")
	if out, err := exec.Command(tmux, start...).CombinedOutput(); err != nil {
		t.Fatalf("tmux: %v\n%s", err, out)
	}
	return p
}

func (p *pane) run(args ...string) string {
	p.t.Helper()
	out, err := exec.Command(p.tmux, append(p.args, args...)...).CombinedOutput()
	if err != nil {
		p.t.Fatalf("tmux %v: %v\n%s", args, err, out)
	}
	return string(out)
}

// until waits for text on the screen, and gives the screen.
func (p *pane) until(what string, shown func(screen string) bool) string {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		screen := p.run("capture-pane", "-p")
		if shown(screen) {
			return screen
		}
		if time.Now().After(end) {
			p.t.Fatalf("waited a minute for %s:\n%s", what, screen)
		}
	}
}

// checkUnwrapped checks that the terminal has not wrapped a line: joined, its
// lines are those that it shows.
func (p *pane) checkUnwrapped() {
	p.t.Helper()
	// In one go, as the program writes on.
	both := p.run("capture-pane", "-p", ";", "capture-pane", "-pJ")
	lines := strings.Split(strings.TrimSuffix(both, "\n"), "\n")
	shown, joined := lines[:len(lines)/2], lines[len(lines)/2:]
	for i := range joined {
		if len(lines)%2 > 0 || strings.TrimRight(shown[i], " ") != strings.TrimRight(joined[i], " ") {
			p.t.Fatalf("a line was wrapped:\n%s", both)
		}
	}
}

// row is a line of figures of --tcp --udp in 80 columns, where one of --cpu fits
// too.
var row = regexp.MustCompile(`(?m)^( *[-0-9.]+[ kM]?){5}\|( *[-0-9.]+[ kM]?){4}\|( *[-0-9.]+[ kM]?){2}\|( *[-0-9.]+[ kM]?){3}(\|[ 0-9-]{3})?$`)

// TestWatchTerminal looks at a terminal of 80 columns, makes it wider, narrower
// and as before, and presses Ctrl-C.
func TestWatchTerminal(t *testing.T) {
	t.Parallel()
	p := newPane(t, 80, 24, nil, "--tcp", "--udp", "--cpu", "--mem", "0.1")
	rows := func(n int) func(string) bool {
		return func(screen string) bool { return len(row.FindAllString(screen, -1)) >= n }
	}
	screen := p.until("rows", rows(3))
	if want := "-- no room in 80 columns for: total cpu usage (sys idl wai stl), memory usage\n" +
		"------tcp-sockets------- --tcp-per-second--- ---udp--- udp-per-second tot\n"; !strings.HasPrefix(screen, want) {
		t.Errorf("80 columns show\n%s\nwant at the start\n%s", screen, want)
	}
	p.checkUnwrapped()

	// A screen later there is still a header.
	screen = p.until("a full screen", func(s string) bool { return !strings.Contains(s, "no room") && rows(20)(s) })
	if !strings.Contains(screen, "lis  act  syn  tim  clo |open acpt fail retr|lis  act | in  out  err |usr") {
		t.Errorf("a screen later the header is not there:\n%s", screen)
	}
	p.checkUnwrapped()
	if colored := p.run("capture-pane", "-pe"); !strings.Contains(colored, "\x1b[") {
		t.Error("there are no colours")
	}

	p.run("resize-window", "-x", "200", "-y", "24")
	screen = p.until("the wide header", func(s string) bool { return strings.Contains(s, "memory-usage") })
	if !strings.Contains(screen, "-- all columns have room now") {
		t.Errorf("200 columns show\n%s", screen)
	}
	p.checkUnwrapped()

	p.run("resize-window", "-x", "40", "-y", "24")
	screen = p.until("the narrow header", func(s string) bool {
		return strings.Contains(s, "-- no room in 40") && strings.Contains(s, "lis  act  syn  tim  clo |lis  act")
	})
	if want := "for: tcp per\nsecond, udp per second, total cpu usage,\nmemory usage\n------tcp-sockets------- ---udp---\n"; !strings.Contains(screen, want) {
		t.Errorf("40 columns show\n%s\nwant\n%s", screen, want)
	}
	// What the wide terminal showed is wrapped by the narrow one; wait until it is gone.
	p.until("a narrow screen", func(s string) bool { return !strings.Contains(s, "no room") })
	p.checkUnwrapped()

	p.run("resize-window", "-x", "80", "-y", "24")
	p.until("the header of 80", func(s string) bool { return strings.Contains(s, "-- no room in 80") })
	p.run("send-keys", "C-c")
	screen = p.until("the end", func(s string) bool { return strings.Contains(s, "ended with 0") })
	if !strings.Contains(screen, "\n-- minimum, average and maximum of ") || strings.Count(screen, " min\n")+strings.Count(screen, " avg\n")+strings.Count(screen, " max\n") != 3 {
		t.Errorf("no summary at the end:\n%s", screen)
	}
}

// TestWatchNoColor has no colours on a terminal where they are not wanted.
func TestWatchNoColor(t *testing.T) {
	t.Parallel()
	for name, run := range map[string]struct{ env, args []string }{
		"--nocolor": {nil, []string{"--nocolor"}},
		"NO_COLOR":  {[]string{"NO_COLOR=1"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPane(t, 80, 24, run.env, append(run.args, "0.1")...)
			p.until("a row", func(s string) bool { return row.MatchString(s) })
			if colored := p.run("capture-pane", "-pe"); strings.Contains(colored, "\x1b[") {
				t.Errorf("there are colours:\n%q", colored)
			}
		})
	}
}

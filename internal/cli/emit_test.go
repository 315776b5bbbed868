//go:build unix

package cli

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/l4stat/l4stat/internal/peers"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/socket"
)

func TestEmitOnce(t *testing.T) {
	t.Parallel()
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		env  []string
		args []string
		tags map[string]string // of the first row
		unit time.Duration
	}{
		{"defaults", nil, nil, map[string]string{"host": host, "ip_version": "4"}, time.Nanosecond},
		{"another host", nil, []string{"--host", "web 1"}, map[string]string{"host": "web 1", "ip_version": "4"}, time.Nanosecond},
		{"no host", nil, []string{"--host", ""}, map[string]string{"ip_version": "4"}, time.Nanosecond},
		{"tags do not go before the plugin's", nil, []string{"--tag", "dc=a=b", "--tag", "ip_version=x", "--host="}, map[string]string{"dc": "a=b", "ip_version": "4"}, time.Nanosecond},
		{"microseconds", nil, []string{"--host=", "--precision", "us"}, map[string]string{"ip_version": "4"}, time.Microsecond},
		{"milliseconds", nil, []string{"--host=", "--precision", "ms"}, map[string]string{"ip_version": "4"}, time.Millisecond},
		{"seconds", nil, []string{"--host=", "--precision", "s"}, map[string]string{"ip_version": "4"}, time.Second},
		{"ENV tags", []string{netstat.EnvTags + "=dc=a,host=h"}, nil, map[string]string{"dc": "a", "host": "h", "ip_version": "4"}, time.Nanosecond},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before := time.Now().Add(-tt.unit)
			stdout, stderr, code := run(t, tt.env, append([]string{"emit", "--once"}, tt.args...)...)
			after := time.Now()
			if stderr != "" || code != exitDone {
				t.Fatalf("exit code %d, standard error %q", code, stderr)
			}
			points := parse(t, stdout)
			if len(points) != 2 || points[0].name != "netstat" || points[1].tags["ip_version"] != "6" {
				t.Fatalf("want netstat for IPv4 and for IPv6, got\n%s", stdout)
			}
			for key, want := range tt.tags {
				if got := points[0].tags[key]; got != want {
					t.Errorf("tag %s is %q, want %q", key, got, want)
				}
			}
			if len(points[0].tags) != len(tt.tags) {
				t.Errorf("tags are %v, want %v", points[0].tags, tt.tags)
			}
			if at := time.Unix(0, points[0].time*int64(tt.unit)); at.Before(before) || at.After(after) {
				t.Errorf("time is %v, want from %v to %v", at, before, after)
			}
		})
	}
}

func TestEmitFiles(t *testing.T) {
	t.Parallel()
	one, two := filepath.Join(t.TempDir(), "one.lp"), filepath.Join(t.TempDir(), "two.lp")
	for i := range 2 {
		stdout, stderr, code := run(t, nil, "emit", "--once", "--output", one, "--output", two)
		if stdout != "" || stderr != "" || code != exitDone {
			t.Fatalf("exit code %d, standard error %q, output %q", code, stderr, stdout)
		}
		var texts []string
		for _, path := range []string{one, two} {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			texts = append(texts, string(text))
		}
		if n := len(parse(t, texts[0])); n != 2*(i+1) || texts[0] != texts[1] {
			t.Errorf("run %d: %d rows in one file, want %d in each\n%s\n%s", i+1, n, 2*(i+1), texts[0], texts[1])
		}
	}
}

func TestEmitFails(t *testing.T) {
	t.Parallel()
	config := configFile(t, "[[inputs.netstat]]\nsource = \"procfs\"\n")
	if !slices.Contains(socket.Kinds(), socket.Procfs) {
		t.Skip("a system without procfs")
	}
	stdout, stderr, code := run(t, []string{"HOST_PROC=/nonexistent"}, "emit", "--once", "--config", config)
	if code != exitFailed || stdout != "" || !strings.Contains(stderr, "/nonexistent/") || !strings.Contains(stderr, "/net/tcp: ") {
		t.Errorf("exit code %d, output %q, standard error %q; want %d, nothing, and the file", code, stdout, stderr, exitFailed)
	}
}

// TestEmitBlocks has several blocks run at their own intervals, until a signal
// ends the run cleanly.
func TestEmitBlocks(t *testing.T) {
	t.Parallel()
	config := configFile(t, `
[[inputs.netstat]]
  interval = "20ms"
  [inputs.netstat.tags]
    block = "often"
[[inputs.netstat]]
  interval = "1h"
  ip_version = "sum"
  [inputs.netstat.tags]
    block = "seldom"
`)
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			cmd := program(t, nil, "emit", "--config", config)
			var diag bytes.Buffer
			cmd.Stderr = &diag
			out, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill() }()

			rows := map[string]int{}
			lines := bufio.NewScanner(out)
			for signalled := false; lines.Scan(); {
				p := parse(t, lines.Text()+"\n")
				rows[p[0].tags["block"]]++
				if rows["often"] >= 2*10 && rows["seldom"] > 0 && !signalled {
					signalled = true
					if err := cmd.Process.Signal(signal); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := cmd.Wait(); err != nil || peers.WithoutPace(diag.String()) != "" {
				t.Errorf("ended with %v, standard error %q", err, diag.String())
			}
			if rows["often"]%2 != 0 || rows["seldom"] != 1 {
				t.Errorf("rows by block are %v, want pairs of the one and 1 of the other", rows)
			}
		})
	}
}

// TestEmitClosedPipe has the reader go away, as head does.
func TestEmitClosedPipe(t *testing.T) {
	t.Parallel()
	cmd := program(t, nil, "emit", "--interval", "10ms")
	var diag bytes.Buffer
	cmd.Stderr = &diag
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout = w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	if _, err := bufio.NewReader(r).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	if err := cmd.Wait(); err != nil || peers.WithoutPace(diag.String()) != "" {
		t.Errorf("ended with %v, standard error %q; want neither", err, diag.String())
	}
}

// TestEmitSameTimeStamps has rows that get the same time stamp warned of, once,
// and none where they do not.
func TestEmitSameTimeStamps(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name  string
		args  []string
		words string // of the warning; "" is none
	}{
		{"50ms in s", []string{"--interval", "50ms", "--precision", "s"}, "--precision s with an interval of 50ms: rows get the same time stamp"},
		{"1ms in ms", []string{"--interval", "1ms", "--precision", "ms"}, "--precision ms with an interval of 1ms: rows get the same time stamp"},
		{"50ms in ms", []string{"--interval", "50ms", "--precision", "ms"}, ""},
		{"10s in s", []string{"--interval", "10s", "--precision", "s"}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cmd := program(t, nil, append([]string{"emit"}, tt.args...)...)
			var diag bytes.Buffer
			cmd.Stderr = &diag
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			// The warning, if any, is there before the first row.
			if _, err := bufio.NewReader(stdout).ReadString('\n'); err != nil {
				t.Errorf("no row: %v", err)
			}
			_ = cmd.Process.Signal(syscall.SIGTERM)
			_ = cmd.Wait()
			if got := strings.Count(diag.String(), "time stamp, and"); tt.words == "" && got > 0 || tt.words != "" && got != 1 {
				t.Errorf("%d warnings of time stamps: %q", got, diag.String())
			}
			if !strings.Contains(diag.String(), tt.words) {
				t.Errorf("standard error has %q, want %q", diag.String(), tt.words)
			}
		})
	}
}

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/l4stat/l4stat/internal/peers"
	"github.com/l4stat/l4stat/internal/testhost"
)

// TestShimEnds has the shim end cleanly: by SIGTERM, by SIGINT, when its standard
// input is closed; and not by SIGHUP.
func TestShimEnds(t *testing.T) {
	t.Parallel()
	shim := peers.Ours(t, "./cmd/telegraf-netstat")
	conf := file(t, "netstat.conf", "[[inputs.netstat]]\ninterval = \"50ms\"\n")
	start := func(t *testing.T) (p *peers.Process, closeInput func()) {
		cmd := exec.Command(shim, "--config", conf)
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		p = peers.Start(t, cmd)
		peers.Until(t, "the shim has written", func() bool { return strings.Count(p.Log(), "\n") >= 4 })
		return p, func() { _ = in.Close() }
	}
	check := func(t *testing.T, p *peers.Process) {
		t.Helper()
		if err := p.Wait(); err != nil {
			t.Errorf("ended with %v", err)
		}
		lines := strings.SplitAfter(p.Log(), "\n")
		if last := lines[len(lines)-1]; last != "" {
			t.Errorf("the last line is not whole: %q", last)
		}
		for _, line := range lines[:len(lines)-1] {
			// On a busy machine the interval may not be kept.
			if !strings.HasPrefix(line, "netstat,") && !strings.Contains(line, "cannot be kept") {
				t.Errorf("wrote %q", line)
			}
		}
	}
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT} {
		t.Run(signal.String(), func(t *testing.T) {
			t.Parallel()
			p, _ := start(t)
			p.Signal(signal)
			check(t, p)
		})
	}
	t.Run("closed standard input, after SIGHUP", func(t *testing.T) {
		t.Parallel()
		p, closeInput := start(t)
		p.Signal(syscall.SIGHUP)
		before := strings.Count(p.Log(), "\n")
		peers.Until(t, "the shim goes on after SIGHUP", func() bool {
			if !p.Running() {
				t.Fatalf("SIGHUP ended the shim:\n%s", p.Log())
			}
			p.Signal(syscall.SIGUSR1)
			return strings.Count(p.Log(), "\n") > before+2
		})
		closeInput()
		check(t, p)
	})
}

// TestTelegrafKilled has Telegraf killed: the shim does not outlive it.
func TestTelegrafKilled(t *testing.T) {
	t.Parallel()
	influxd, program, shim := peers.BuildInfluxd(t), peers.BuildTelegraf(t), peers.Ours(t, "./cmd/telegraf-netstat")
	for _, signal := range []string{"none", "STDIN"} {
		t.Run(signal, func(t *testing.T) {
			t.Parallel()
			influx := peers.StartInflux(t, influxd)
			influx.CreateDatabase(database)
			conf := file(t, "netstat.conf", config)
			p, _ := telegraf(t, influx, program, agent(influx)+execd(shim, conf, signal), 1)
			// The shim is known by its argument, which is this test's alone.
			if n := len(running(t, conf)); n != 1 {
				t.Fatalf("%d shims run, want 1", n)
			}
			p.Signal(syscall.SIGKILL)
			if err := p.Wait(); err == nil {
				t.Error("Telegraf was not killed")
			}
			peers.Until(t, "the shim ends", func() bool { return len(running(t, conf)) == 0 })
		})
	}
}

// running gives the processes that have the argument.
func running(t *testing.T, arg string) []string {
	t.Helper()
	var pids []string
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		line, err := os.ReadFile(path)
		if err == nil && bytes.Contains(line, append([]byte(arg), 0)) {
			pids = append(pids, filepath.Base(filepath.Dir(path)))
		}
	}
	return pids
}

// TestShimComplains has the shim's complaints reach Telegraf's log at their level.
func TestShimComplains(t *testing.T) {
	t.Parallel()
	influxd, program, shim := peers.BuildInfluxd(t), peers.BuildTelegraf(t), peers.Ours(t, "./cmd/telegraf-netstat")
	influx := peers.StartInflux(t, influxd)
	influx.CreateDatabase(database)
	for name, tt := range map[string]struct{ conf, want string }{
		"a warning": {
			"[[inputs.netstat]]\n[[inputs.netstat.addr_ports]]\nports = [\"80\", \"10.0.0.1:80\"]\n",
			`W! [inputs.execd] %s: inputs.netstat.addr_ports[0].ports[1] = "10.0.0.1:80": never matches`,
		},
		"an unknown key": {
			"[[inputs.netstat]]\nabsnt = \"zero\"\n",
			`E! [inputs.execd] %s: inputs.netstat.absnt = "zero": unknown key; did you mean "absent"?`,
		},
		"the second of two blocks": {
			"[[inputs.netstat]]\n[[inputs.netstat]]\nsource = \"nowhere\"\n",
			`E! [inputs.execd] %s: inputs.netstat[1].source = "nowhere": give one of`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			conf := file(t, "netstat.conf", tt.conf)
			p := peers.Start(t, exec.Command(program, "--config", file(t, "telegraf.conf", agent(influx)+execd(shim, conf, "none"))))
			want := fmt.Sprintf(tt.want, conf)
			peers.Until(t, "Telegraf logs "+want, func() bool { return strings.Contains(p.Log(), want) })
			p.Stop()
		})
	}
}

// TestShimBlocks has several blocks run, each at its own interval with its own
// tags.
func TestShimBlocks(t *testing.T) {
	t.Parallel()
	shim := peers.Ours(t, "./cmd/telegraf-netstat")
	conf := file(t, "netstat.conf", `
[[inputs.netstat]]
  interval = "50ms"
  [inputs.netstat.tags]
    block = "often"
[[inputs.netstat]]
  interval = "1h"
  ip_version = "sum"
  [inputs.netstat.tags]
    block = "seldom"
`)
	cmd := exec.Command(shim, "--config", conf)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	p := peers.Start(t, cmd)
	count := func(block string) int { return strings.Count(p.Log(), "block="+block) }
	peers.Until(t, "the one block has gathered ten times", func() bool { return count("often") >= 2*10 && count("seldom") > 0 })
	if n := count("seldom"); n != 1 {
		t.Errorf("the other has %d rows, want 1", n)
	}
	// Asked for, both gather.
	if _, err := in.Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	peers.Until(t, "the other block gathers when asked", func() bool { return count("seldom") == 2 })
}

// TestShimWithoutSockDiag has seccomp refuse sock_diag: several blocks have one
// warning.
func TestShimWithoutSockDiag(t *testing.T) {
	t.Parallel()
	shim := peers.Ours(t, "./cmd/telegraf-netstat")
	const block = "[[inputs.netstat]]\ninterval = \"1h\"\n"
	cmd := exec.Command(shim, "--config", file(t, "netstat.conf", block+block))
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	testhost.DenySockDiag(t)
	p := peers.Start(t, cmd)
	peers.Until(t, "both blocks have gathered", func() bool { return strings.Count(p.Log(), "netstat,ip_version=") == 2*2 })
	if log := p.Log(); strings.Count(log, "\n") != 2*2+1 || strings.Count(log, "W! reading /proc/net instead of sock_diag") != 1 {
		t.Errorf("wrote\n%s\nwant one warning beside the rows", log)
	}
}

// TestShimUsage has mistakes end the shim with exit code 2 and one line that
// Telegraf shows as an error; and the environment override the file.
func TestShimUsage(t *testing.T) {
	t.Parallel()
	shim := peers.Ours(t, "./cmd/telegraf-netstat")
	tests := []struct {
		name string
		env  []string
		args []string
		want string
	}{
		{"no such file", nil, []string{"--config", "/nonexistent/netstat.conf"}, "/nonexistent/netstat.conf"},
		{"unknown flag", nil, []string{"--poll_interval", "1s"}, "-poll_interval"},
		{"unknown argument", nil, []string{"netstat.conf"}, `"netstat.conf"`},
		{"environment", []string{"ENV_INPUT_NETSTAT_INTERVAL=often"}, nil, `ENV_INPUT_NETSTAT_INTERVAL = "often"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(shim, tt.args...)
			cmd.Env = append(os.Environ(), tt.env...)
			p := peers.Start(t, cmd)
			if err := p.Wait(); p.ProcessState.ExitCode() != 2 {
				t.Errorf("ended with %v, want exit code 2", err)
			}
			if log := p.Log(); strings.Count(log, "\n") != 1 || !strings.HasPrefix(log, "E! ") || !strings.Contains(log, tt.want) {
				t.Errorf("wrote %q, want one line with %q", log, tt.want)
			}
		})
	}
	t.Run("environment that is good", func(t *testing.T) {
		t.Parallel()
		cmd := exec.Command(shim)
		cmd.Env = append(os.Environ(), "ENV_INPUT_NETSTAT_TAGS=dc=fra")
		in, err := cmd.StdinPipe()
		if err != nil {
			t.Fatal(err)
		}
		p := peers.Start(t, cmd)
		peers.Until(t, "the shim has written", func() bool { return strings.Count(p.Log(), "\n") == 2 })
		_ = in.Close()
		if err := p.Wait(); err != nil || strings.Count(p.Log(), "netstat,dc=fra,ip_version=") != 2 {
			t.Errorf("ended with %v and wrote\n%s", err, p.Log())
		}
	})
}

package cli

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/netstat"
)

// configFile writes a configuration and gives its path.
func configFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "netstat.conf")
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestBadUsage(t *testing.T) {
	t.Parallel()
	good := configFile(t, "[[inputs.netstat]]\n")
	bad := configFile(t, "[[inputs.netstat]]\n[[inputs.netstat.addr_ports]]\nports = [\"80\", \"1.1.1.1:http\"]\n")
	typo := configFile(t, "[[inputs.netstat]]\nintervall = \"10s\"\n")
	tests := []struct {
		name  string
		env   []string
		args  []string
		words []string
	}{
		{"unknown command", nil, []string{"emti"}, []string{`"emti"`, "did you mean emit?", "l4stat --help"}},
		{"unknown command of config", nil, []string{"config", "chekc"}, []string{`"chekc"`, "did you mean check?", "l4stat config --help"}},
		{"unknown command with flags", nil, []string{"emmit", "--once"}, []string{`unknown command "emmit"`, "did you mean emit?", "l4stat --help"}},
		{"unknown command with a flag and its value", nil, []string{"emmit", "--config", good}, []string{`unknown command "emmit"`, "did you mean emit?"}},
		{"unknown command of config with flags", nil, []string{"config", "chekc", "--strict"}, []string{`unknown command "chekc"`, "did you mean check?"}},
		{"command that is near none", nil, []string{"graph"}, []string{`"graph"`, "there are ", " conns, emit, "}},
		{"command after help", nil, []string{"help", "emmit"}, []string{`"emmit"`, "did you mean emit?", "l4stat --help"}},
		{"command that takes nothing", nil, []string{"version", "1"}, []string{`"1"`, "l4stat version --help"}},
		{"unknown flag", nil, []string{"emit", "--prots", "80"}, []string{"--prots", "did you mean --ports?", "l4stat emit --help"}},
		{"misspelt flag", nil, []string{"emit", "--onse"}, []string{"--onse", "did you mean --once?"}},
		{"flag whose letters changed places", nil, []string{"watch", "--tpc"}, []string{"--tpc", "did you mean --tcp?"}},
		{"flag with a hyphen too few", nil, []string{"emit", "-once"}, []string{"-once", "did you mean --once?"}},
		{"flag without hyphens", nil, []string{"emit", "once"}, []string{`"once"`, "did you mean --once?"}},
		{"flag that is near none", nil, []string{"emit", "--graph"}, []string{"unknown flag --graph", "l4stat emit --help"}},
		{"flag of a command before it", nil, []string{"--once"}, []string{"--once", "one of l4stat emit"}},
		{"ports without a comma", nil, []string{"emit", "--ports", "80", "443"}, []string{`"443"`, "separate ports by commas: --ports 80,443"}},
		{"sets without a comma", nil, []string{"emit", "--include", "tcp", "udp", "route"}, []string{`"udp"`, "--include tcp,udp,route"}},
		{"one of two lists without a comma", nil, []string{"emit", "--ports", "80", "--include", "tcp", "udp"}, []string{`"udp"`, "by commas"}},
		{"whole number", nil, []string{"emit", "--buffer-limit", "many"}, []string{"--buffer-limit", `"many"`, "whole number"}},
		{"flag that has no value", nil, []string{"emit", "--once=maybe"}, []string{"--once", `"maybe"`, "true or false"}},
		{"dstat's flag elsewhere", nil, []string{"emit", "--disk"}, []string{"unknown flag --disk; see l4stat emit --help"}},
		{"beginning of a flag of another command", nil, []string{"emit", "--noupd"}, []string{"unknown flag --noupd; see l4stat emit --help"}},
		{"unknown argument", nil, []string{"emit", "80"}, []string{`"80"`, "l4stat emit --help"}},
		{"interval that is none", nil, []string{"emit", "--interval", "10"}, []string{"--interval", `"10"`, "such as 10s", "l4stat emit --help"}},
		{"interval of nothing", nil, []string{"emit", "--interval", "0s"}, []string{"--interval 0s", "1ms or more", "10s"}},
		{"interval too short", nil, []string{"emit", "--once", "--interval", "1ns"}, []string{"--interval 1ns", "1ms or more", "10s"}},
		{"port 0", nil, []string{"emit", "--ports", "80,0"}, []string{`--ports[1] = "0"`, "1 to 65535"}},
		{"ports of an empty variable", nil, []string{"emit", "--ports", ""}, []string{"--ports = []", "leave it out"}},
		{"port 65536", nil, []string{"emit", "--ports", "65536"}, []string{`--ports[0] = "65536"`, "1 to 65535"}},
		{"port by name", nil, []string{"emit", "--ports", "1.1.1.1:http"}, []string{`--ports[0] = "1.1.1.1:http"`, `"http"`, "1 to 65535"}},
		{"match without a star", nil, []string{"emit", "--ports-match", "80"}, []string{`--ports-match[0] = "80"`, `"*:80"`}},
		{"match of an empty variable beside ports", nil, []string{"emit", "--ports", "80", "--ports-match", ""}, []string{"--ports-match = []", "leave it out"}},
		{"ports beside a file", nil, []string{"emit", "--config", good, "--ports", "80"}, []string{"--ports", "--config"}},
		{"set beside a file", nil, []string{"emit", "--config", good, "--include", "tcp"}, []string{"--include", "--config", "key include"}},
		{"tag without a value", nil, []string{"emit", "--tag", "dc"}, []string{`--tag "dc"`, "KEY=VALUE"}},
		{"tag that cannot be written", nil, []string{"emit", "--tag", "dc=a\tb"}, []string{"dc"}},
		{"precision", nil, []string{"emit", "--precision", "m"}, []string{"--precision", `"m"`, "ns, us, ms or s"}},
		{"no such file", nil, []string{"emit", "--config", "/nonexistent/netstat.conf"}, []string{"/nonexistent/netstat.conf", "no such file"}},
		{"output in no folder", nil, []string{"emit", "--output", "/nonexistent/out.lp"}, []string{"--output", "/nonexistent/out.lp"}},
		{"bad entry in the file", nil, []string{"emit", "--once", "--config", bad}, []string{bad, "inputs.netstat.addr_ports[0].ports[1]", `"1.1.1.1:http"`, "1 to 65535"}},
		{"unknown key in the file", nil, []string{"emit", "--once", "--config", typo}, []string{typo, "inputs.netstat.intervall", `"10s"`, `"interval"`}},
		{"ENV interval", []string{netstat.EnvInterval + "=10"}, []string{"emit", "--once"}, []string{netstat.EnvInterval, `"10"`, `"10s"`}},
		{"ENV ports", []string{netstat.EnvAddrPorts + "=80,443"}, []string{"emit", "--once"}, []string{netstat.EnvAddrPorts, `"80,443"`, "JSON"}},
		{"ENV port", []string{netstat.EnvAddrPorts + `=["80","0"]`}, []string{"emit", "--once"}, []string{netstat.EnvAddrPorts + "[1]", `"0"`, "1 to 65535"}},
		{"ENV tags", []string{netstat.EnvTags + "=a"}, []string{"emit", "--once"}, []string{netstat.EnvTags, `"a"`, "name=value"}},
		{"check nothing", nil, []string{"config", "check"}, []string{"name a file", "standard input", "l4stat config check --help"}},
		{"check two", nil, []string{"config", "check", good, bad}, []string{bad, "one argument too many", "l4stat config check --help"}},
		{"check an empty standard input", nil, []string{"config", "check", "-"}, []string{"standard input: ", "[[inputs.netstat]]"}},
		{"check no file", nil, []string{"config", "check", "/nonexistent/netstat.conf"}, []string{"/nonexistent/netstat.conf"}},
		{"check a bad file", nil, []string{"config", "check", bad}, []string{bad, "ports[1]", `"1.1.1.1:http"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, code := run(t, tt.env, tt.args...)
			checkFailure(t, stdout, stderr, code, exitUsage, tt.words...)
		})
	}
}

func TestConfig(t *testing.T) {
	t.Parallel()
	stdout, stderr, code := run(t, nil, "config")
	if stdout != netstat.SampleConfig() || stderr != "" || code != exitDone {
		t.Errorf("config: exit code %d, standard error %q, output\n%s", code, stderr, stdout)
	}
	sample := configFile(t, stdout)
	stdout, stderr, code = run(t, nil, "config", "check", sample)
	if want := sample + ": ok, [[inputs.netstat]] blocks: 1, entries: 0\n"; stdout != want || stderr != "" || code != exitDone {
		t.Errorf("config check: exit code %d, standard error %q, output %q, want %q", code, stderr, stdout, want)
	}
	shadowed := configFile(t, "[[inputs.netstat]]\n[[inputs.netstat.addr_ports]]\nports = [\"80\", \"10.0.0.1:80\"]\n")
	stdout, stderr, code = run(t, nil, "config", "check", shadowed)
	if code != exitDone || !strings.Contains(stdout, "entries: 2") {
		t.Errorf("an entry that never matches: exit code %d, output %q", code, stdout)
	}
	if strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "warning: "+shadowed) || !strings.Contains(stderr, `"10.0.0.1:80"`) {
		t.Errorf("an entry that never matches: standard error %q", stderr)
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"version"}, {"help"}, {"help", "emit"}, {"help", "config", "check"}, {"--help"}, {"emit", "--help"}, {"config", "--help"}, {"config", "check", "--help"}, {"--version"}, {}} {
		stdout, stderr, code := run(t, nil, args...)
		if !strings.Contains(stdout, "l4stat") || stderr != "" || code != exitDone {
			t.Errorf("%v: exit code %d, standard error %q, output %q", args, code, stderr, stdout)
		}
	}
}

// TestConfigCheckStandardInput checks what is piped in.
func TestConfigCheckStandardInput(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text, stdout, stderr string
		code                 int
	}{
		{"[[inputs.netstat]]\n[[inputs.netstat.addr_ports]]\nports = [\"80\"]\n", "standard input: ok, [[inputs.netstat]] blocks: 1, entries: 1\n", "", exitDone},
		{"[[inputs.netstat]]\nintervall = \"1s\"\n", "", "l4stat: standard input: inputs.netstat.intervall", exitUsage},
		{strings.Repeat("#", netstat.MaxConfigSize+1), "", "l4stat: standard input: ", exitUsage},
	} {
		cmd := program(t, nil, "config", "check", "-")
		var stdout, stderr strings.Builder
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(tt.text), &stdout, &stderr
		_ = cmd.Run() // its exit code tells
		if code := cmd.ProcessState.ExitCode(); code != tt.code || stdout.String() != tt.stdout ||
			!strings.HasPrefix(stderr.String(), tt.stderr) || tt.stderr == "" && stderr.Len() > 0 {
			t.Errorf("%.60q: exit code %d, output %q, standard error %q", tt.text, code, stdout.String(), stderr.String())
		}
	}
}

// TestConfigCheckInterrupted has a signal end a read that nothing else ends.
func TestConfigCheckInterrupted(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("has no SIGINT for another process")
	}
	cmd := program(t, nil, "config", "check", "-")
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	// More than the pipe holds has been taken once this returns, so it reads.
	if _, err := stdin.Write([]byte(strings.Repeat("#\n", 1<<17))); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // closes the pipe only when the program has ended
	if code := cmd.ProcessState.ExitCode(); code == exitDone || strings.Count(stderr.String(), "\n") != 1 || !strings.Contains(stderr.String(), "interrupted") {
		t.Errorf("exit code %d, standard error %q", code, stderr.String())
	}
}

// TestMisspeltEnv tells variables that nobody reads from those that are another's.
func TestMisspeltEnv(t *testing.T) {
	t.Parallel()
	got := misspeltEnv([]string{
		netstat.EnvInterval + "=1s", netstat.EnvAddrPorts + "=", netstat.EnvTags + "=", envToken + "=x",
		"L4STAT_SERVICE_HOST=10.0.0.1", "L4STAT_PORT=tcp://10.0.0.1:80", "PATH=/bin", "ENV_INPUT_CPU_INTERVAL=1s", "=C:=C:",
		"ENV_INPUT_NETSTAT_INTERVALL=secret", "ENV_INPUT_NETSTAT_SOURCE=x", "L4STAT_TOKNE=secret",
	})
	want := []string{
		"environment: ENV_INPUT_NETSTAT_INTERVALL is not read; did you mean ENV_INPUT_NETSTAT_INTERVAL?",
		"environment: ENV_INPUT_NETSTAT_SOURCE is not read; there are ENV_INPUT_NETSTAT_ADDR_PORTS, ENV_INPUT_NETSTAT_INTERVAL, ENV_INPUT_NETSTAT_TAGS",
		"environment: L4STAT_TOKNE is not read; did you mean L4STAT_TOKEN?",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	stdout, stderr, code := run(t, []string{"ENV_INPUT_NETSTAT_TAG=a=b"}, "emit", "--once")
	if code != exitDone || !strings.HasPrefix(stdout, "netstat,") || !strings.Contains(stderr, "did you mean "+netstat.EnvTags+"?") {
		t.Errorf("exit code %d, standard error %q, output %q", code, stderr, stdout)
	}
}

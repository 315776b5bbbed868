package cli

import (
	"os"
	"path/filepath"
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
		{"unknown flag", nil, []string{"emit", "--prots", "80"}, []string{"--prots", "l4stat emit --help"}},
		{"unknown argument", nil, []string{"emit", "80"}, []string{`"80"`, "l4stat emit --help"}},
		{"interval that is none", nil, []string{"emit", "--interval", "10"}, []string{"--interval", "10", "l4stat emit --help"}},
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
		{"check nothing", nil, []string{"config", "check"}, []string{"l4stat config check --help"}},
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
	for _, args := range [][]string{{"--help"}, {"emit", "--help"}, {"config", "--help"}, {"config", "check", "--help"}, {"--version"}, {}} {
		stdout, stderr, code := run(t, nil, args...)
		if !strings.Contains(stdout, "l4stat") || stderr != "" || code != exitDone {
			t.Errorf("%v: exit code %d, standard error %q, output %q", args, code, stderr, stdout)
		}
	}
}

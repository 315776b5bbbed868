package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/l4stat/l4stat/internal/peers"
	"github.com/l4stat/l4stat/internal/testhost"
)

const unit = "systemd/l4stat.service"

// analyze runs systemd-analyze.
func analyze(t *testing.T, args ...string) (string, error) {
	t.Helper()
	program, err := exec.LookPath("systemd-analyze")
	if err != nil {
		testhost.SkipOrFail(t, "needs systemd-analyze: "+err.Error())
	}
	out, err := exec.CommandContext(t.Context(), program, args...).CombinedOutput()
	return string(out), err
}

// TestUnit has systemd check the unit.
func TestUnit(t *testing.T) {
	t.Parallel()
	// It wants to see the program that the unit starts.
	const path = "/usr/local/bin/l4stat"
	dir := t.TempDir()
	program := filepath.Join(dir, "l4stat")
	if err := os.WriteFile(program, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	text := read(t, unit)
	if !strings.Contains(text, "\nExecStart="+path+" ") {
		t.Fatalf("ExecStart is not %s", path)
	}
	name := filepath.Join(dir, "l4stat.service")
	write(t, name, strings.ReplaceAll(text, path, program))

	// A key that it does not know it complains of and passes.
	if out, err := analyze(t, "verify", "--man=no", "--recursive-errors=no", name); err != nil || strings.Contains(out, "l4stat") {
		t.Errorf("systemd-analyze verify: %v\n%s", err, out)
	}
	// Of 100: 0 can do nothing, and a unit without hardening has 96. What is left
	// is the network, /proc and the two capabilities.
	if out, err := analyze(t, "security", "--offline=yes", "--threshold=25", "--no-pager", name); err != nil {
		t.Errorf("systemd-analyze security: %v\n%s", err, out)
	}
}

// TestUnitRuns boots systemd, in namespaces of its own, and has it run the unit:
// with all its hardening the program finds the process of another user's socket.
func TestUnitRuns(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("boots systemd")
	}
	if _, err := os.Stat("/lib/systemd/systemd"); err != nil {
		testhost.SkipOrFail(t, "needs systemd: "+err.Error())
	}
	if os.Getuid() != 0 {
		testhost.SkipOrFail(t, "needs root, to mount")
	}
	dir := t.TempDir()
	root := filepath.Join(dir, "root")
	system := filepath.Join(root, "etc/systemd/system")
	install(t, peers.Ours(t, "./cmd/l4stat"), filepath.Join(root, "usr/local/bin/l4stat"))
	install(t, "/proc/self/exe", filepath.Join(root, "usr/local/bin/sink"))
	write(t, filepath.Join(system, "l4stat.service"), read(t, unit))
	write(t, filepath.Join(system, "l4stat.service.d/log.conf"), "[Service]\nStandardError=append:/out/l4stat.log\n")
	// Process 1 listens, as root.
	write(t, filepath.Join(system, "other.socket"), "[Unit]\nDefaultDependencies=no\n[Socket]\nListenStream=127.0.0.1:80\nFreeBind=yes\n")
	write(t, filepath.Join(system, "other.service"), "[Service]\nExecStart=/bin/true\n")
	write(t, filepath.Join(root, "etc/l4stat/netstat.conf"), "[[inputs.netstat]]\n  [[inputs.netstat.addr_ports]]\n    ports = [\"80\"]\n")
	write(t, filepath.Join(root, "etc/l4stat/environment"), "L4STAT_OUTPUT=/var/log/l4stat/netstat.lp\n")
	write(t, filepath.Join(system, "sink.service"), "[Unit]\nDefaultDependencies=no\n[Service]\nEnvironment="+sinkMarker+"=/out/requests\nExecStart=/usr/local/bin/sink\n")
	write(t, filepath.Join(dir, "check.sh"), read(t, "testdata/check.sh"))
	// What tries to reach into another process does so in l4stat's place.
	probe := peers.Ours(t, "./deploy/probe")
	install(t, probe, filepath.Join(root, "usr/local/bin/probe"))
	write(t, filepath.Join(system, "victim.service"), "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/usr/local/bin/probe victim /out/victim\n")
	start := regexp.MustCompile(`(?m)^ExecStart=.*$`)
	write(t, filepath.Join(system, "probe.service"), start.ReplaceAllString(read(t, unit), "ExecStart=/usr/local/bin/probe /out/victim\nType=oneshot\nRestart=no\nStandardOutput=file:/out/probe.log"))

	script, err := filepath.Abs("testdata/boot.sh")
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("unshare", "--mount", "--propagation", "private", "bash", script, dir)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	boot := peers.Start(t, cmd)
	err = boot.Wait()
	log, logErr := os.ReadFile(filepath.Join(dir, "out/check.log"))
	if logErr != nil {
		testhost.SkipOrFail(t, "cannot boot systemd in a namespace: "+boot.Log())
	}
	if err != nil {
		t.Fatalf("%v\n%s\n%s", err, boot.Log(), log)
	}

	got := values(string(log))
	const ptraceAndDACReadSearch = "0000000000080004"
	for name, want := range map[string]string{
		"ActiveState": "active",
		"CapEff":      "0000000000000000", // between gathers
		"CapPrm":      ptraceAndDACReadSearch,
		"CapBnd":      ptraceAndDACReadSearch,
		"NoNewPrivs":  "1",
		"Seccomp":     "2", // filtered
		"Result":      "success",
		"restarted":   "yes",
		// After a configuration that cannot be meant.
		"ExecMainStatus": "2",
		"NRestarts":      "0",
	} {
		if got[name] != want {
			t.Errorf("%s is %q, want %q", name, got[name], want)
		}
	}
	// Reading links is what l4stat does. Nothing keeps its place from reading memory
	// too, and the unit says so.
	probed := read(t, filepath.Join(dir, "out/probe.log"))
	var can []string
	for name, result := range values(probed) {
		if result == "ok" {
			can = append(can, name)
		}
	}
	slices.Sort(can)
	if want := []string{"read_mem", "readlink_fd", "unix_socket"}; !slices.Equal(can, want) || len(values(probed)) < 10 {
		t.Errorf("a program in l4stat's place can %q, want %q:\n%s", can, want, probed)
	}
	if uid, err := strconv.Atoi(got["Uid"]); err != nil || uid == 0 {
		t.Errorf("it runs as user %q", got["Uid"])
	}
	// What it writes to a file, and what it sends where the unit says.
	for _, name := range []string{"netstat.lp", "requests"} {
		rows := read(t, filepath.Join(dir, "out", name))
		if !regexp.MustCompile(`(?m)^netstat_port,addr_port=80,.*tcp_listen=1i,.*,pid=1i `).MatchString(rows) {
			t.Errorf("%s lacks the listener of process 1:\n%s", name, rows)
		}
		const request = "POST /write?db=l4stat, Authorization: Token some-token\n"
		if name == "requests" && !strings.HasPrefix(rows, request) {
			t.Errorf("the request is not %s\n%s", request, rows)
		}
	}
	// Not a word of what would cost more: that sock_diag was refused.
	diag := read(t, filepath.Join(dir, "out/l4stat.log"))
	if strings.Count(diag, "\n") != 1 || !strings.Contains(diag, "no_such_key") {
		t.Errorf("it logs, want only what is wrong with the configuration:\n%s", diag)
	}
	if t.Failed() {
		t.Logf("%s", log)
	}
}

// values reads lines of NAME=VALUE.
func values(text string) map[string]string {
	all := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		all[name] = value
	}
	return all
}

package cli

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/internal/testhost"
	"github.com/l4stat/l4stat/netstat"
)

// withoutTime gives the rows without what differs from run to run.
func withoutTime(points []point) []point {
	for i := range points {
		points[i].time = 0
	}
	return points
}

// TestEmitPorts has the rows of real sockets, by flags, file and environment.
func TestEmitPorts(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	l := h.Listen(testhost.IPv4, netip.Addr{}, 80)
	h.Accept(testhost.IPv4, l, testhost.Established)
	h.Accept(testhost.IPv4, l, testhost.TimeWait)
	h.Listen(testhost.IPv6, netip.Addr{}, 443)

	by := map[string]struct {
		env  []string
		args []string
	}{
		"flags":       {nil, []string{"--ports", "80,443", "--ports", "22"}},
		"file":        {nil, []string{"--config", configFile(t, "[[inputs.netstat]]\n[[inputs.netstat.addr_ports]]\nports = [\"80\", \"443\"]\n")}},
		"environment": {[]string{netstat.EnvAddrPorts + `=["80","443"]`}, nil},
	}
	for name, tt := range by {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := run(t, tt.env, append([]string{"emit", "--once", "--host="}, tt.args...)...)
			if stderr != "" || code != exitDone {
				t.Fatalf("exit code %d, standard error %q", code, stderr)
			}
			var got []string
			for _, p := range parse(t, stdout) {
				got = append(got, fmt.Sprintln(p.name, p.tags, p.fields["tcp_listen"], p.fields["tcp_established"], p.fields["tcp_time_wait"], p.fields["pid"]))
			}
			want := []string{
				"netstat map[ip_version:4] 1 1 1 <nil>\n",
				"netstat map[ip_version:6] 1 0 0 <nil>\n",
				fmt.Sprintf("netstat_port map[addr_port:80 ip_version:4] 1 1 1 %d\n", os.Getpid()),
				fmt.Sprintf("netstat_port map[addr_port:443 ip_version:6] 1 0 0 %d\n", os.Getpid()),
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\t"), strings.Join(want, "\t"))
			}
		})
	}
	t.Run("ports-match", func(t *testing.T) {
		stdout, _, _ := run(t, nil, "emit", "--once", "--ports-match", "*:80", "--ports", "443")
		var got []string
		for _, p := range parse(t, stdout)[2:] {
			got = append(got, p.tags["addr_port"])
		}
		if want := []string{"443", "0.0.0.0:80", "10.77.0.1:80"}; !reflect.DeepEqual(got, want) {
			t.Errorf("rows are %v, want %v", got, want)
		}
	})
	t.Run("an entry that never matches", func(t *testing.T) {
		_, stderr, code := run(t, nil, "emit", "--once", "--ports", "80,10.0.0.1:80")
		if code != exitDone || strings.Count(stderr, "\n") != 1 || !strings.HasPrefix(stderr, `l4stat: warning: --ports[1] = "10.0.0.1:80": never matches`) {
			t.Errorf("exit code %d, standard error %q", code, stderr)
		}
	})
}

// TestEmitInclude has the kernel's counters by flag and by file, beside ports, and
// an error that names the flag.
func TestEmitInclude(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	h.Listen(testhost.IPv4, netip.Addr{}, 80)
	const block = "[[inputs.netstat]]\ninclude = [\"udp\", \"tcp\", \"route\", \"interface\"]\n[[inputs.netstat.addr_ports]]\nports = [\"80\"]\n"
	for name, args := range map[string][]string{
		"flags": {"--ports", "80", "--include", "udp,tcp", "--include", "route,interface"},
		"file":  {"--config", configFile(t, block)},
	} {
		t.Run(name, func(t *testing.T) {
			stdout, stderr, code := run(t, nil, append([]string{"emit", "--once", "--host=h"}, args...)...)
			if stderr != "" || code != exitDone {
				t.Fatalf("exit code %d, standard error %q", code, stderr)
			}
			points := parse(t, stdout)
			var got []string
			for _, p := range points {
				got = append(got, fmt.Sprintln(p.name, p.tags))
				if p.time != points[0].time {
					t.Errorf("%s has another time than %s", p.name, points[0].name)
				}
			}
			want := []string{
				"netstat map[host:h ip_version:4]\n",
				"netstat map[host:h ip_version:6]\n",
				"netstat_port map[addr_port:80 host:h ip_version:4]\n",
				"netstat_tcp map[host:h]\n",
				"netstat_udp map[host:h ip_version:4]\n",
				"netstat_udp map[host:h ip_version:6]\n",
				"netstat_interface map[host:h interface:lo]\n",
				"netstat_interface map[host:h interface:testhost0]\n",
				"netstat_route map[host:h ip_version:4]\n",
				"netstat_route map[host:h ip_version:6]\n",
			}
			if !reflect.DeepEqual(got, want) {
				t.Fatalf("got\n%swant\n%s", strings.Join(got, ""), strings.Join(want, ""))
			}
			if f := points[len(points)-1].fields; f["default_gateway"] != "none" || f["default_interface"] != "none" {
				t.Errorf("netstat_route has %v, want no default route", f)
			}
			if f := points[3].fields; f["active_opens"] != int64(0) || f["tcp_abort_on_memory"] != int64(0) {
				t.Errorf("netstat_tcp has %v, want integers, and no connection", f)
			}
		})
	}
	for args, words := range map[string][]string{
		"--include=tcp,upd": {`--include[1] = "upd"`, `"tcp", "udp", "conntrack", "interface", "route"`},
		"--include=":        {"--include", "at least one"},
	} {
		t.Run(args, func(t *testing.T) {
			stdout, stderr, code := run(t, nil, "emit", "--once", args)
			checkFailure(t, stdout, stderr, code, exitUsage, words...)
		})
	}
}

// TestEmitWithoutSockDiag has seccomp refuse sock_diag.
func TestEmitWithoutSockDiag(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	h.EveryState(testhost.IPv4, 80)
	h.EveryState(testhost.IPv6, 81)
	h.EveryState(testhost.Mapped, 82)
	h.UDP(testhost.IPv4, netip.Addr{}, 80, false)
	args := []string{"emit", "--once", "--ports", "80,81,82"}

	stdout, stderr, code := run(t, nil, args...)
	if stderr != "" || code != exitDone {
		t.Fatalf("with sock_diag: exit code %d, standard error %q", code, stderr)
	}
	want := withoutTime(parse(t, stdout))
	if len(want) != 2+4 {
		t.Fatalf("with sock_diag there are %d rows, want 6:\n%s", len(want), stdout)
	}

	testhost.DenySockDiag(t)
	stdout, stderr, code = run(t, nil, args...)
	if got := withoutTime(parse(t, stdout)); code != exitDone || !reflect.DeepEqual(got, want) {
		t.Errorf("without sock_diag: exit code %d, the rows are\n%v\nwant\n%v", code, got, want)
	}
	if strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "warning: ") || !strings.Contains(stderr, "/proc/net") || !strings.Contains(stderr, "operation not permitted") {
		t.Errorf("without sock_diag standard error has %q, want one warning with what is read instead and why", stderr)
	}

	// Several blocks have one warning.
	_, stderr, code = run(t, nil, "emit", "--once", "--config", configFile(t, "[[inputs.netstat]]\n[[inputs.netstat]]\n"))
	if code != exitDone || strings.Count(stderr, "\n") != 1 {
		t.Errorf("two blocks without sock_diag: exit code %d, standard error %q; want one warning", code, stderr)
	}

	// Asked for by name, it is not replaced.
	config := configFile(t, "[[inputs.netstat]]\nsource = \"netlink\"\n")
	stdout, stderr, code = run(t, nil, "emit", "--once", "--config", config)
	if code != exitFailed || stdout != "" || !strings.Contains(stderr, "operation not permitted") {
		t.Errorf("source = netlink without sock_diag: exit code %d, output %q, standard error %q", code, stdout, stderr)
	}
}

// TestEmitUnprivileged runs the program as a user who may look into no other
// user's processes. What is missing for that reason is said in one line, which
// says what it takes.
func TestEmitUnprivileged(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	h.Listen(testhost.IPv4, netip.Addr{}, 80)

	// The user may not be let into the folder of the test binary.
	exe := filepath.Join(t.TempDir(), "l4stat")
	if err := copyFile("/proc/self/exe", exe); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(exe); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	const nobody = 65534
	unprivileged := func(capabilities ...uintptr) *syscall.SysProcAttr {
		return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}, AmbientCaps: capabilities}
	}
	tests := []struct {
		name string
		attr *syscall.SysProcAttr
		pid  any
	}{
		{"no capability", unprivileged(), nil},
		{"CAP_SYS_PTRACE alone", unprivileged(unix.CAP_SYS_PTRACE), nil},
		{"CAP_DAC_READ_SEARCH alone", unprivileged(unix.CAP_DAC_READ_SEARCH), nil},
		{"both", unprivileged(unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH), int64(os.Getpid())},
	}
	runAs := func(t *testing.T, attr *syscall.SysProcAttr, args ...string) (stdout, stderr string) {
		t.Helper()
		cmd := program(t, nil, args...)
		cmd.Path, cmd.SysProcAttr, cmd.Dir = exe, attr, "/"
		var diag bytes.Buffer
		cmd.Stderr = &diag
		out, err := cmd.Output()
		if errors.Is(err, os.ErrPermission) || errors.Is(err, syscall.EINVAL) {
			testhost.SkipOrFail(t, "needs root, to become another user: "+err.Error())
		}
		if err != nil {
			t.Fatalf("%v, standard error %q", err, diag.String())
		}
		return string(out), diag.String()
	}
	for _, tt := range tests {
		check := func(t *testing.T, stderr string) {
			t.Helper()
			if tt.pid != nil {
				if stderr != "" {
					t.Errorf("standard error has %q, want nothing", stderr)
				}
				return
			}
			for _, word := range []string{"pid", "CAP_SYS_PTRACE", "CAP_DAC_READ_SEARCH"} {
				if strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, word) {
					t.Errorf("standard error has %q, want one line with %s", stderr, word)
				}
			}
		}
		t.Run(tt.name, func(t *testing.T) {
			out, stderr := runAs(t, tt.attr, "emit", "--once", "--ports", "80")
			check(t, stderr)
			points := parse(t, out)
			if len(points) != 3 || points[2].fields["tcp_listen"] != int64(1) {
				t.Fatalf("the counts need no privilege; got\n%s", out)
			}
			if got := points[2].fields["pid"]; got != tt.pid {
				t.Errorf("pid is %v, want %v", got, tt.pid)
			}
		})
		t.Run(tt.name+", conns", func(t *testing.T) {
			out, stderr := runAs(t, tt.attr, "conns", "-P", "-o", "lport,pid", "-i", "0.05", "-c", "2")
			check(t, stderr)
			line := "80,\n"
			if tt.pid != nil {
				line = fmt.Sprintf("80,%d\n", tt.pid)
			}
			if out != line+line {
				t.Errorf("got %q, want %q twice", out, line)
			}
		})
	}
	for _, args := range [][]string{{"emit", "--once", "--ports", "81"}, {"conns", "-o", "lport,pid", "-F", "lport=81"}, {"conns", "-o", "lport"}} {
		if _, stderr := runAs(t, unprivileged(), args...); stderr != "" {
			t.Errorf("l4stat %v, of which no pid is missing, says %q", args, stderr)
		}
	}
}

func copyFile(from, to string) error {
	data, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o755)
}

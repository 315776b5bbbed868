package e2e

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/internal/peers"
	"github.com/l4stat/l4stat/internal/testhost"
)

const (
	nobody                 = 65534
	ptraceAndDACReadSearch = "0000000000080004"
	none                   = "0000000000000000"
)

// asNobody makes a command that runs a program as a user without any privilege.
func asNobody(program string, args ...string) *exec.Cmd {
	cmd := exec.Command(program, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	return cmd
}

// forAll lets everybody reach a file of a temporary folder.
func forAll(t *testing.T, path string) {
	t.Helper()
	for ; path != os.TempDir() && path != "/"; path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// capable makes a copy of a program that has both capabilities, as setcap gives
// them, and that everybody may run.
func capable(t *testing.T, program string) string {
	t.Helper()
	copied := filepath.Join(t.TempDir(), filepath.Base(program))
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(copied, data, 0o755); err != nil {
		t.Fatal(err)
	}
	forAll(t, copied)
	setcap, err := exec.LookPath("setcap")
	if err != nil {
		testhost.SkipOrFail(t, "needs setcap (Debian: libcap2-bin): "+err.Error())
	}
	if out, err := exec.Command(setcap, "cap_sys_ptrace,cap_dac_read_search+ep", copied).CombinedOutput(); err != nil {
		testhost.SkipOrFail(t, fmt.Sprintf("setcap: %v %s", err, out))
	}
	return copied
}

// withCgo builds l4stat so that C's libraries are linked to it, as go build does
// where there is a C compiler: then all threads are reached in another way.
func withCgo(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "l4stat-cgo")
	cmd := exec.Command("go", "build", "-o", program, "github.com/l4stat/l4stat/cmd/l4stat")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		testhost.SkipOrFail(t, fmt.Sprintf("needs a C compiler (Debian: gcc, libc6-dev): %v\n%s", err, out))
	}
	return program
}

// secret stands in every file of the folder that vault makes.
const secret = "tHeSeCrEt"

// vault is a folder that is root's alone, and what was opened in it.
type vault struct {
	t       *testing.T
	dir     string
	inotify int
	names   map[int32]string // of folders, by watch
}

func newVault(t *testing.T) *vault {
	t.Helper()
	v := &vault{t, filepath.Join(t.TempDir(), "vault"), -1, map[int32]string{}}
	zone, err := os.ReadFile(filepath.Join(strings.TrimSpace(goEnv(t, "GOROOT")), "lib/time/zoneinfo.zip"))
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"netstat.conf":               "[[inputs.netstat]]\n  [[inputs.netstat.addr_ports]]\n    ports = [\"80\"]\n    [inputs.netstat.addr_ports.tags]\n      some_tag = \"" + secret + "\"\n",
		"shadow":                     "root:" + secret + ":20000:0:99999:7:::\n",
		"key":                        secret + " = \"" + secret + "\"\n",
		"token":                      secret + "\n",
		"out.lp":                     secret + "\n",
		"ca.pem":                     secret + "\n",
		"certs/ca.pem":               secret + "\n",
		"zone":                       secret + "\n",
		"zones.zip":                  string(zone),
		"proc/stat":                  "cpu  " + secret + "\n",
		"proc/meminfo":               "MemTotal: " + secret + " kB\n",
		"proc/1/stat":                "1 (" + secret + ") S 0 1 1 0 -1 4194560 1 1 1 1 1 1 1 1 20 0 1 0 1 1 1\n",
		"proc/net/tcp":               secret + "\n",
		"proc/net/tcp6":              secret + "\n",
		"proc/net/udp":               secret + "\n",
		"proc/net/snmp":              "Tcp: " + secret + "\nTcp: " + secret + "\n",
		"proc/1/fd/none":             "",
		"proc/net/stat/nf_conntrack": "entries " + secret + "\n",
		"proc/sys/net/netfilter/nf_conntrack_count": secret + "\n",
		"proc/sys/net/netfilter/nf_conntrack_max":   secret + "\n",
	} {
		path := filepath.Join(v.dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if v.inotify, err = unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { unix.Close(v.inotify) })
	err = filepath.WalkDir(v.dir, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		watch, err := unix.InotifyAddWatch(v.inotify, path, unix.IN_ALL_EVENTS)
		v.names[int32(watch)] = path
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	v.opened() // by the walk itself
	return v
}

func goEnv(t *testing.T, name string) string {
	t.Helper()
	out, err := exec.Command("go", "env", name).Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

// opened returns what was opened, read, written, made or listed since the last
// call.
func (v *vault) opened() []string {
	v.t.Helper()
	var all []string
	for {
		buf := make([]byte, 64<<10)
		n, err := unix.Read(v.inotify, buf)
		if errors.Is(err, unix.EAGAIN) {
			slices.Sort(all)
			return slices.Compact(all)
		}
		if err != nil {
			v.t.Fatal(err)
		}
		for buf = buf[:n]; len(buf) > 0; {
			event := (*unix.InotifyEvent)(unsafe.Pointer(&buf[0]))
			name := string(bytes.TrimRight(buf[unix.SizeofInotifyEvent:][:event.Len], "\x00"))
			all = append(all, filepath.Join(v.names[event.Wd], name))
			buf = buf[unix.SizeofInotifyEvent+event.Len:]
		}
	}
}

// ending is how a run may end.
type ending int

const (
	succeeds ending = iota
	fails
	either // as the machine's kernel has it
)

// TestCapableFile runs the programs, as a user without any privilege, from files
// that have both capabilities, and names a file that is root's alone in every way
// that there is. None is opened, let alone shown. The process of another user's
// socket is found all the same.
func TestCapableFile(t *testing.T) {
	static, shim := peers.Ours(t, "./cmd/l4stat"), peers.Ours(t, "./cmd/telegraf-netstat")
	if os.Getuid() != 0 {
		testhost.SkipOrFail(t, "needs root, to give a file capabilities")
	}
	if !testhost.Enter(t) {
		return
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		testhost.SkipOrFail(t, "needs ip (Debian: iproute2): "+err.Error()+" "+string(out))
	}
	l, err := net.Listen("tcp", "127.0.0.1:80")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	v := newVault(t)
	inVault := func(name string) string { return filepath.Join(v.dir, name) }
	l4stat := []string{capable(t, static), capable(t, withCgo(t))}
	telegraf := []string{capable(t, shim)}

	const ignored = "HOST_PROC is ignored"
	const url = "https://127.0.0.1:1/write?db=x"
	tests := []struct {
		name     string
		programs []string
		args     []string
		env      string
		ends     ending
		stderr   string // has this
	}{
		{"config check", l4stat, []string{"config", "check", inVault("netstat.conf")}, "", fails, "permission denied"},
		{"config check of what is not TOML", l4stat, []string{"config", "check", inVault("shadow")}, "", fails, "permission denied"},
		{"config check of what has an unknown key", l4stat, []string{"config", "check", inVault("key")}, "", fails, "permission denied"},
		{"emit --config", l4stat, []string{"emit", "--once", "--config", inVault("netstat.conf")}, "", fails, "permission denied"},
		{"emit --config of what is not TOML", l4stat, []string{"emit", "--once", "--config", inVault("shadow")}, "", fails, "permission denied"},
		{"watch --config", l4stat, []string{"watch", "--groups", "--config", inVault("netstat.conf"), "1", "1"}, "", fails, "permission denied"},
		{"emit --token-file", l4stat, []string{"emit", "--once", "--output", url, "--token-file", inVault("token")}, "", fails, "permission denied"},
		{"emit --output", l4stat, []string{"emit", "--once", "--output", inVault("out.lp")}, "", fails, "permission denied"},
		{"emit --output of a new file", l4stat, []string{"emit", "--once", "--output", inVault("new.lp")}, "", fails, "permission denied"},
		{"watch --output", l4stat, []string{"watch", "--tcp", "--output", inVault("out.lp"), "2", "1"}, "", fails, "permission denied"},
		{"emit with HOST_PROC", l4stat, []string{"emit", "--once", "--include", "tcp"}, "HOST_PROC=" + inVault("proc"), succeeds, ignored},
		{"emit --include conntrack with HOST_PROC", l4stat, []string{"emit", "--once", "--include", "conntrack"}, "HOST_PROC=" + inVault("proc"), either, ignored},
		{"watch with HOST_PROC", l4stat, []string{"watch", "--cpu", "--mem", "--tcp", "--socket", "--udp", "--net", "2", "1"}, "HOST_PROC=" + inVault("proc"), succeeds, ignored},
		{"conns with HOST_PROC", l4stat, []string{"conns", "-o", "laddr,pid,pname"}, "HOST_PROC=" + inVault("proc"), either, ignored},
		{"TZ", l4stat, []string{"emit", "--once"}, "TZ=:" + inVault("zone"), succeeds, ""},
		{"ZONEINFO", l4stat, []string{"emit", "--once"}, "ZONEINFO=" + inVault("zones.zip"), succeeds, ""},
		{"SSL_CERT_FILE", l4stat, []string{"emit", "--once", "--output", url}, "SSL_CERT_FILE=" + inVault("ca.pem"), fails, ""},
		{"SSL_CERT_DIR", l4stat, []string{"emit", "--once", "--output", url}, "SSL_CERT_DIR=" + inVault("certs"), fails, ""},
		{"the shim's --config", telegraf, []string{"--config", inVault("netstat.conf")}, "", fails, "permission denied"},
		{"the shim's --config of what is not TOML", telegraf, []string{"--config", inVault("shadow")}, "", fails, "permission denied"},
		{"the shim with HOST_PROC", telegraf, nil, "HOST_PROC=" + inVault("proc"), succeeds, ignored},
		{"the shim with TZ", telegraf, nil, "TZ=:" + inVault("zone"), succeeds, ""},
	}
	for _, tt := range tests {
		for _, program := range tt.programs {
			t.Run(tt.name+"/"+filepath.Base(program), func(t *testing.T) {
				cmd := asNobody(program, tt.args...)
				if tt.env != "" {
					cmd.Env = append(cmd.Env, tt.env)
				}
				var out, diag bytes.Buffer
				cmd.Stdout, cmd.Stderr = &out, &diag
				if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
					t.Fatal(err)
				}
				if failed := !cmd.ProcessState.Success(); tt.ends != either && failed != (tt.ends == fails) {
					t.Errorf("exit code %d", cmd.ProcessState.ExitCode())
				}
				if !strings.Contains(diag.String(), tt.stderr) {
					t.Errorf("standard error lacks %q", tt.stderr)
				}
				if opened := v.opened(); len(opened) > 0 {
					t.Errorf("it has opened %q", opened)
				}
				if all := out.String() + diag.String(); strings.Contains(strings.ToLower(all), strings.ToLower(secret)) {
					t.Error("it shows what is in the file")
				}
				if t.Failed() {
					t.Logf("standard output:\n%s\nstandard error:\n%s", out.String(), diag.String())
				}
			})
		}
	}

	// What the capabilities are for.
	conf := file(t, "netstat.conf", "[[inputs.netstat]]\n  [[inputs.netstat.addr_ports]]\n    ports = [\"80\"]\n")
	forAll(t, conf)
	for _, program := range l4stat {
		out, err := asNobody(program, "conns", "-o", "lport,state,pid", "-P").CombinedOutput()
		if want := fmt.Sprintf("80,LISTEN,%d\n", os.Getpid()); err != nil || !strings.Contains(string(out), want) {
			t.Errorf("%s conns lacks %q: %v\n%s", program, want, err, out)
		}
		checkThreads(t, asNobody(program, "emit", "--config", conf, "--interval", "1h"))
	}
	checkThreads(t, asNobody(telegraf[0], "--config", conf))
}

// checkThreads starts a program that finds the process of the listener on port
// 80, this one, and looks whether after that any of its threads has a capability
// in effect.
func checkThreads(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	p := peers.Start(t, cmd)
	defer p.Stop()
	listener := regexp.MustCompile(fmt.Sprintf(`(?m)^netstat_port,addr_port=80,.*tcp_listen=1i,.*\bpid=%di`, os.Getpid()))
	peers.Until(t, "the listener's row", func() bool {
		fmt.Fprintln(stdin) // the shim gathers when asked
		return listener.MatchString(p.Log())
	})
	tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", p.Process.Pid))
	if err != nil || len(tasks) < 3 {
		t.Fatalf("%s has the threads %q: %v", cmd.Path, tasks, err)
	}
	for _, task := range tasks {
		text, err := os.ReadFile(task)
		if errors.Is(err, syscall.ESRCH) || errors.Is(err, os.ErrNotExist) {
			continue // it has ended
		}
		if err != nil {
			t.Fatal(err)
		}
		for name, want := range map[string]string{"CapEff": none, "CapPrm": ptraceAndDACReadSearch, "CapInh": none, "CapAmb": none} {
			if !strings.Contains(string(text), name+":\t"+want+"\n") {
				t.Errorf("%s, %s: %s is not %s:\n%s", cmd.Path, task, name, want, text)
			}
		}
	}
}

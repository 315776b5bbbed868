package check

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
	corev1 "k8s.io/api/core/v1"
)

// skipOrFail is that of internal/testhost: a machine that lacks something skips
// the test, but not where CI=true.
func skipOrFail(t *testing.T, reason string) {
	t.Helper()
	if ci, _ := strconv.ParseBool(os.Getenv("CI")); ci {
		t.Fatal(reason + " (not skipped, because CI is set)")
	}
	t.Skip(reason)
}

var capabilities = map[corev1.Capability]uintptr{
	"DAC_READ_SEARCH": unix.CAP_DAC_READ_SEARCH,
	"SYS_PTRACE":      unix.CAP_SYS_PTRACE,
}

const nobody = 65534

// container is one to run, as the manifest says but for what a test changes.
type container struct {
	*manifest
	user int64
	add  []corev1.Capability
}

func (m *manifest) asItSays() container {
	return container{m, *m.security().RunAsUser, m.security().Capabilities.Add}
}

// TestContainer runs the program as a container runtime does: with nothing but
// its file and the volumes to see, as that user, with no capabilities but those
// to get, under the profile of seccomp.json where the manifest names that, and in
// the processes of the host. It has to count, and with the manifest for that to
// find the process of another user.
func TestContainer(t *testing.T) {
	t.Parallel()
	none, pid := load(t, text(t)).asItSays(), load(t, withPID(t)).asItSays()
	another, ptrace, search := pid, pid, pid
	another.user = nobody
	ptrace.add, search.add = []corev1.Capability{"SYS_PTRACE"}, []corev1.Capability{"DAC_READ_SEARCH"}
	tests := []struct {
		name string
		c    container
		pid  bool
		warn string
	}{
		{"as the manifest says", none, false, ""},
		{"as it says for pid", pid, true, ""},
		// Why it says so.
		{"another user", another, false, "pid is left out"},
		{"SYS_PTRACE alone", ptrace, false, "pid is left out"},
		{"DAC_READ_SEARCH alone", search, false, "pid is left out"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := tt.c.env()
			env["NODE_NAME"], env["L4STAT_OUTPUT"] = "node-1", "-"
			out, diag, victim := tt.c.run(t, nobody-1, env, append(append([]string{"/l4stat"}, tt.c.args(env)...), "--once")...)
			if !strings.Contains(diag, tt.warn) || tt.warn == "" && diag != "" {
				t.Errorf("standard error has %q, want %q", diag, tt.warn)
			}
			i := strings.Index(out, "netstat_port,addr_port=10250,host=node-1,ip_version=4,service=kubelet ")
			if i < 0 {
				t.Fatalf("the row of port 10250 is not there:\n%s", out)
			}
			row, _, _ := strings.Cut(out[i:], "\n")
			if !strings.Contains(row, "tcp_listen=1i") {
				t.Errorf("the row lacks the listener: %s", row)
			}
			if got := strings.Contains(row, fmt.Sprintf(",pid=%di ", victim)); got != tt.pid {
				t.Errorf("the row has pid %d: %v, want %v: %s", victim, got, tt.pid, row)
			}
		})
	}
}

// TestProbe has a program in l4stat's place reach into a process of root's: with
// the manifest for pid it can read there, which is why the manifest says what it
// says, and it cannot write.
func TestProbe(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		c   container
		can []string // what other programs of that user can too, and what l4stat does
	}{
		"without pid": {load(t, text(t)).asItSays(), []string{"unix_socket", "write_own_mem"}},
		"with pid":    {load(t, withPID(t)).asItSays(), []string{"read_mem", "readlink_fd"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, diag, _ := tt.c.run(t, 0, nil, "/probe", "/victim/addr")
			if diag != "" || strings.Count(out, "\n") < 10 {
				t.Fatalf("%s%s", out, diag)
			}
			var can []string
			for line := range strings.Lines(out) {
				if name, ok := strings.CutSuffix(line, "=ok\n"); ok {
					can = append(can, name)
				}
			}
			slices.Sort(can)
			if !slices.Equal(can, tt.can) {
				t.Errorf("it can %q, want %q:\n%s", can, tt.can, out)
			}
		})
	}
}

// run runs a program of the image in the container and returns what it writes, and
// the process that listens on port 10250, which is that user's.
func (c container) run(t *testing.T, user uint32, env map[string]string, args ...string) (out, diag string, victim int) {
	t.Helper()
	root := image(t, c.manifest)
	if c.security().SeccompProfile.Type == corev1.SeccompProfileTypeLocalhost {
		if err := os.WriteFile(filepath.Join(root, "filter"), assemble(t, "../kubernetes/seccomp.json"), 0o644); err != nil {
			t.Fatal(err)
		}
		args = append([]string{"/probe", "confine", "/filter"}, args...)
	}
	var stdout, stderr bytes.Buffer
	cmd := &exec.Cmd{Path: args[0], Args: args, Dir: "/", Stdout: &stdout, Stderr: &stderr}
	for name, value := range env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: uint32(c.user), Gid: uint32(c.user)}}
	// What a thread has made its own ends with it.
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		var err error
		victim, err = contain(root, cmd, user, c.add)
		result <- err
	}()
	err := <-result
	if errors.Is(err, os.ErrPermission) {
		skipOrFail(t, "needs root, to mount and to become another user: "+err.Error())
	}
	if err != nil {
		t.Fatalf("%v, standard error %q", err, stderr.String())
	}
	return stdout.String(), stderr.String(), victim
}

// args gives the container's arguments with $(NAME) replaced, as Kubernetes does.
func (m *manifest) args(env map[string]string) []string {
	var args []string
	for _, arg := range m.container().Args {
		args = append(args, reference.ReplaceAllStringFunc(arg, func(ref string) string {
			return env[reference.FindStringSubmatch(ref)[1]]
		}))
	}
	return args
}

// image lays out the container's files: what the Dockerfile copies, and the
// volumes.
func image(t *testing.T, m *manifest) string {
	t.Helper()
	root := t.TempDir()
	// It stands among folders that are root's alone.
	for dir := root; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// By a program of its own: a file that this process had open for writing could
	// not be run while a child that another test has just forked has it too.
	if out, err := exec.Command("cp", program, probe, root).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v %s", err, out)
	}
	for _, dir := range []string{"proc", "victim"} {
		if err := os.Mkdir(filepath.Join(root, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range m.pod().Volumes {
		i := slices.IndexFunc(m.container().VolumeMounts, func(mount corev1.VolumeMount) bool { return mount.Name == v.Name })
		dir := filepath.Join(root, m.container().VolumeMounts[i].MountPath)
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if v.ConfigMap == nil {
			continue
		}
		for name, text := range m.config.Data {
			if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	return root
}

// contain runs the command in namespaces of this thread, where a process of
// that user listens on port 10250, the probe's victim, and returns that process.
func contain(root string, cmd *exec.Cmd, user uint32, add []corev1.Capability) (victim int, err error) {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS | unix.CLONE_NEWNET); err != nil {
		return 0, os.NewSyscallError("unshare", err)
	}
	proc := filepath.Join(root, "proc")
	for _, m := range []struct {
		source, target string
		flags          uintptr
	}{
		{"", "/", unix.MS_REC | unix.MS_PRIVATE},
		{root, root, unix.MS_BIND},
		{"/proc", proc, unix.MS_BIND},
	} {
		if err := unix.Mount(m.source, m.target, "", m.flags, ""); err != nil {
			return 0, os.NewSyscallError("mount "+m.target, err)
		}
	}

	l, err := net.Listen("tcp4", "0.0.0.0:10250")
	if err != nil {
		return 0, err
	}
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		return 0, err
	}
	addr := filepath.Join(root, "victim", "addr")
	if err := os.Chown(filepath.Dir(addr), int(user), int(user)); err != nil {
		return 0, err
	}
	other := exec.Command(filepath.Join(root, "probe"), "victim", addr)
	other.ExtraFiles = []*os.File{file}
	other.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: user, Gid: user}, Pdeathsig: syscall.SIGKILL}
	if err := other.Start(); err != nil {
		return 0, err
	}
	defer func() {
		_ = other.Process.Kill()
		_ = other.Wait() // killed
	}()
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if _, err := os.Stat(addr); err == nil {
			break
		} else if time.Now().After(end) {
			return 0, err
		}
	}
	for _, own := range []interface{ Close() error }{l, file} {
		if err := own.Close(); err != nil {
			return 0, err
		}
	}

	// The victim has written where it is to be found.
	if err := unix.Mount("", root, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		return 0, os.NewSyscallError("mount "+root+" read only", err)
	}
	var keep []uintptr
	for _, name := range add {
		number, ok := capabilities[name]
		if !ok {
			return 0, fmt.Errorf("the test does not know the capability %s", name)
		}
		keep = append(keep, number)
	}
	for c := uintptr(0); c <= unix.CAP_LAST_CAP; c++ {
		if slices.Contains(keep, c) {
			continue
		}
		// An older kernel does not know the last ones.
		if err := unix.Prctl(unix.PR_CAPBSET_DROP, c, 0, 0, 0); err != nil && !errors.Is(err, unix.EINVAL) {
			return 0, os.NewSyscallError("prctl PR_CAPBSET_DROP", err)
		}
	}
	// allowPrivilegeEscalation: false
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return 0, os.NewSyscallError("prctl PR_SET_NO_NEW_PRIVS", err)
	}
	return other.Process.Pid, cmd.Run()
}

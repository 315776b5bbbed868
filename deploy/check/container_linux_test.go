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

// TestContainer runs the program as a container runtime does: with nothing but
// its file and the volumes to see, as that user, with no capabilities but those
// to get, and in the processes of the host. It has to find the process of
// another user.
func TestContainer(t *testing.T) {
	t.Parallel()
	m := load(t)
	s := m.security()
	if !slices.Equal(s.Capabilities.Drop, []corev1.Capability{"ALL"}) {
		t.Fatalf("it drops %v, want ALL", s.Capabilities.Drop)
	}

	tests := []struct {
		name string
		user int64
		add  []corev1.Capability
		pid  bool
	}{
		{"as the manifest says", *s.RunAsUser, s.Capabilities.Add, true},
		// Why it says so.
		{"another user", nobody, s.Capabilities.Add, false},
		{"SYS_PTRACE alone", 0, []corev1.Capability{"SYS_PTRACE"}, false},
		{"DAC_READ_SEARCH alone", 0, []corev1.Capability{"DAC_READ_SEARCH"}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			env := m.env()
			env["NODE_NAME"] = "node-1"
			env["L4STAT_OUTPUT"] = "-"
			root := image(t, m)
			var out, diag bytes.Buffer
			cmd := &exec.Cmd{Path: "/l4stat", Args: append(append([]string{"l4stat"}, m.args(env)...), "--once"), Dir: "/", Stdout: &out, Stderr: &diag}
			for name, value := range env {
				cmd.Env = append(cmd.Env, name+"="+value)
			}
			cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: root, Credential: &syscall.Credential{Uid: uint32(tt.user), Gid: uint32(tt.user)}}

			// What a thread has made its own ends with it.
			var owner int
			result := make(chan error)
			go func() {
				runtime.LockOSThread()
				var err error
				owner, err = contain(t, root, cmd, tt.add)
				result <- err
			}()
			err := <-result
			if errors.Is(err, os.ErrPermission) {
				skipOrFail(t, "needs root, to mount and to become another user: "+err.Error())
			}
			if err != nil || diag.Len() > 0 {
				t.Fatalf("%v, standard error %q", err, diag.String())
			}
			i := strings.Index(out.String(), "netstat_port,addr_port=10250,host=node-1,ip_version=4,service=kubelet ")
			if i < 0 {
				t.Fatalf("the row of port 10250 is not there:\n%s", out.String())
			}
			row, _, _ := strings.Cut(out.String()[i:], "\n")
			if !strings.Contains(row, "tcp_listen=1i") {
				t.Errorf("the row lacks the listener: %s", row)
			}
			if got := strings.Contains(row, fmt.Sprintf(",pid=%di ", owner)); got != tt.pid {
				t.Errorf("the row has pid %d: %v, want %v: %s", owner, got, tt.pid, row)
			}
		})
	}
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
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "l4stat"), data, 0o755); err != nil {
		t.Fatal(err)
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
// another user listens on port 10250, and gives that process.
func contain(t *testing.T, root string, cmd *exec.Cmd, add []corev1.Capability) (owner int, err error) {
	if err := unix.Unshare(unix.CLONE_FS | unix.CLONE_NEWNS | unix.CLONE_NEWNET); err != nil {
		return 0, os.NewSyscallError("unshare", err)
	}
	const readOnly = unix.MS_BIND | unix.MS_REMOUNT | unix.MS_RDONLY
	proc := filepath.Join(root, "host/proc")
	for _, m := range []struct {
		source, target string
		flags          uintptr
	}{
		{"", "/", unix.MS_REC | unix.MS_PRIVATE},
		{root, root, unix.MS_BIND},
		{"/proc", proc, unix.MS_BIND},
		{"", proc, readOnly},
		{"", root, readOnly},
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
	other := exec.Command("sleep", "600")
	other.ExtraFiles = []*os.File{file}
	other.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody - 1, Gid: nobody - 1}, Pdeathsig: syscall.SIGKILL}
	if err := other.Start(); err != nil {
		return 0, err
	}
	defer func() {
		_ = other.Process.Kill()
		_ = other.Wait() // killed
	}()
	for _, own := range []interface{ Close() error }{l, file} {
		if err := own.Close(); err != nil {
			return 0, err
		}
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

package atstart_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/l4stat/l4stat/internal/privilege"
	"github.com/l4stat/l4stat/internal/privilege/atstart"
	"github.com/l4stat/l4stat/internal/testhost"
)

// marker is the environment variable that makes the test binary a program that
// writes a report of itself.
const marker = "L4STAT_TEST_ATSTART"

func TestMain(m *testing.M) {
	if os.Getenv(marker) != "" {
		if err := json.NewEncoder(os.Stdout).Encode(look()); err != nil {
			panic(err)
		}
		return
	}
	os.Exit(m.Run())
}

// report is what a program sees of itself. Sets are as /proc/PID/status has
// them: CapInh, CapPrm, CapEff and CapAmb. Of threads there is one for each kind.
type report struct {
	Warning, Error string
	HostProc       string
	Start          map[string]int  // threads at first
	Reading        map[string]bool // the thread that reads, in Descriptors
	Others         map[string]bool // all others meanwhile, old and new
	Child          map[string]bool // a program that is started meanwhile
	End            map[string]bool // all threads in the end
}

func look() report {
	warning, err := atstart.Report()
	r := report{Warning: warning, HostProc: os.Getenv("HOST_PROC"), Start: map[string]int{}}
	if err != nil {
		r.Error = err.Error()
	}
	for _, kind := range tasks() {
		r.Start[kind]++
	}
	err = privilege.Descriptors(func() error {
		stop := manyThreads(20)
		defer stop()
		self := syscall.Gettid()
		r.Reading, r.Others = map[string]bool{}, map[string]bool{}
		for id, kind := range tasks() {
			if id == fmt.Sprint(self) {
				r.Reading[kind] = true
			} else {
				r.Others[kind] = true
			}
		}
		out, err := exec.Command("cat", "/proc/self/status").Output()
		r.Child = map[string]bool{kindOf(out): true}
		return err
	})
	if err != nil {
		r.Error += err.Error()
	}
	stop := manyThreads(40)
	defer stop()
	r.End = map[string]bool{}
	for _, kind := range tasks() {
		r.End[kind] = true
	}
	return r
}

// manyThreads has that many goroutines hold a thread each, which the runtime has
// to make.
func manyThreads(n int) (stop func()) {
	held, end := make(chan struct{}), make(chan struct{})
	for range n {
		go func() {
			runtime.LockOSThread()
			held <- struct{}{}
			<-end // and the thread ends too
		}()
	}
	for range n {
		<-held
	}
	return func() { close(end) }
}

func tasks() map[string]string {
	files, _ := filepath.Glob("/proc/self/task/*/status")
	all := map[string]string{}
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil {
			all[filepath.Base(filepath.Dir(file))] = kindOf(text)
		}
	}
	return all
}

func kindOf(status []byte) string {
	sets := map[string]string{}
	for line := range strings.Lines(string(status)) {
		if name, value, ok := strings.Cut(line, ":"); ok {
			sets[name] = strings.TrimLeft(strings.TrimSpace(value), "0")
		}
	}
	return fmt.Sprintf("inh=%s prm=%s eff=%s amb=%s", sets["CapInh"], sets["CapPrm"], sets["CapEff"], sets["CapAmb"])
}

const (
	dacReadSearch = 2
	netRaw        = 13
	sysPtrace     = 19
	nobody        = 65534
)

// TestStart starts a program in the ways that there are to give it capabilities.
func TestStart(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		testhost.SkipOrFail(t, "needs root, to become another user")
	}
	const (
		nothing = "inh= prm= eff= amb="
		lowered = "inh= prm=80004 eff= amb="
		raised  = "inh= prm=80004 eff=80004 amb="
		one     = "inh= prm=80000 eff= amb="
		oneUp   = "inh= prm=80000 eff=80000 amb="
	)
	only := func(kind string) map[string]bool { return map[string]bool{kind: true} }
	tests := []struct {
		name    string
		user    uint32
		ambient []uintptr
		file    string      // capabilities of the file, as setcap has them
		mode    os.FileMode // of the file
		want    report
	}{
		{name: "no privilege", user: nobody,
			want: report{HostProc: "/elsewhere", Reading: only(nothing), Others: only(nothing), Child: only(nothing), End: only(nothing)}},
		{name: "ambient, as a unit gives them", user: nobody, ambient: []uintptr{dacReadSearch, sysPtrace},
			want: report{HostProc: "/elsewhere", Reading: only(raised), Others: only(lowered), Child: only(nothing), End: only(lowered)}},
		{name: "more than is needed", user: nobody, ambient: []uintptr{dacReadSearch, netRaw, sysPtrace},
			want: report{HostProc: "/elsewhere", Reading: only(raised), Others: only(lowered), Child: only(nothing), End: only(lowered)}},
		{name: "one of the two", user: nobody, ambient: []uintptr{sysPtrace},
			want: report{HostProc: "/elsewhere", Reading: only(oneUp), Others: only(one), Child: only(nothing), End: only(one)}},
		{name: "of the file", user: nobody, file: "cap_sys_ptrace,cap_dac_read_search+ep",
			want: report{Warning: "HOST_PROC is ignored", Reading: only(raised), Others: only(lowered), Child: only(nothing), End: only(lowered)}},
		{name: "of the file, permitted alone", user: nobody, file: "cap_sys_ptrace,cap_dac_read_search+p",
			want: report{Warning: "HOST_PROC is ignored", Reading: only(raised), Others: only(lowered), Child: only(nothing), End: only(lowered)}},
		{name: "of the file, more than is needed", user: nobody, file: "cap_sys_ptrace,cap_dac_read_search,cap_net_raw,cap_setuid+ep",
			want: report{Warning: "HOST_PROC is ignored", Reading: only(raised), Others: only(lowered), Child: only(nothing), End: only(lowered)}},
		{name: "set-user-ID", user: nobody, mode: os.ModeSetuid, want: report{Error: "must not be set-user-ID"}},
		{name: "set-group-ID", user: nobody, mode: os.ModeSetgid, want: report{Error: "must not be set-user-ID or set-group-ID"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.Command(program(t, tt.file, tt.mode))
			cmd.SysProcAttr = &syscall.SysProcAttr{AmbientCaps: tt.ambient, Credential: &syscall.Credential{Uid: tt.user, Gid: tt.user}}
			got := run(t, cmd)
			if tt.want.Error != "" {
				if !strings.Contains(got.Error, tt.want.Error) {
					t.Errorf("the error is %q, want %q", got.Error, tt.want.Error)
				}
				return
			}
			if !strings.HasPrefix(got.Warning, tt.want.Warning) || tt.want.Warning == "" && got.Warning != "" {
				t.Errorf("the warning is %q, want %q", got.Warning, tt.want.Warning)
			}
			if len(got.Start) != 1 {
				t.Errorf("at the start the threads are not alike: %v", got.Start)
			}
			got.Warning, got.Start, tt.want.Warning = "", nil, ""
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

// TestRoot has root keep what root has, and user 0 of a container, who has the two
// capabilities alone, lose their effect.
func TestRoot(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		testhost.SkipOrFail(t, "needs root")
	}
	exe := program(t, "", 0)
	got := run(t, exec.Command(exe))
	for kind := range got.End {
		if strings.Contains(kind, "eff= ") || len(got.End) != 1 || got.HostProc != "/elsewhere" {
			t.Errorf("root has %+v", got)
		}
	}
	setpriv, err := exec.LookPath("setpriv")
	if err != nil {
		testhost.SkipOrFail(t, "needs setpriv (Debian: util-linux): "+err.Error())
	}
	got = run(t, exec.Command(setpriv, "--bounding-set", "-all,+sys_ptrace,+dac_read_search", exe))
	const lowered = "inh= prm=80004 eff= amb="
	if want := map[string]int{lowered: got.Start[lowered]}; got.Error+got.Warning != "" || got.HostProc != "/elsewhere" || !reflect.DeepEqual(got.Start, want) {
		t.Errorf("user 0 with the two capabilities has %+v, want all threads %s", got, lowered)
	}
}

// program makes a copy of this program that everybody may run.
func program(t *testing.T, capabilities string, mode os.FileMode) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "program")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// A file that this process had open for writing could not be run while a
	// child that another test has just forked still has it too.
	if out, err := exec.Command("cp", self, exe).CombinedOutput(); err != nil {
		t.Fatalf("cp: %v %s", err, out)
	}
	for path := exe; path != os.TempDir() && path != "/"; path = filepath.Dir(path) {
		if err := os.Chmod(path, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(exe, 0o755|mode); err != nil {
		t.Fatal(err)
	}
	if capabilities == "" {
		return exe
	}
	setcap, err := exec.LookPath("setcap")
	if err != nil {
		testhost.SkipOrFail(t, "needs setcap (Debian: libcap2-bin): "+err.Error())
	}
	if out, err := exec.Command(setcap, capabilities, exe).CombinedOutput(); err != nil {
		testhost.SkipOrFail(t, fmt.Sprintf("setcap: %v %s", err, out))
	}
	return exe
}

func run(t *testing.T, cmd *exec.Cmd) report {
	t.Helper()
	cmd.Env = []string{marker + "=1", "HOST_PROC=/elsewhere", "PATH=" + os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0"}
	cmd.Dir = "/"
	var diag bytes.Buffer
	cmd.Stderr = &diag
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, diag.String())
	}
	var r report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return r
}

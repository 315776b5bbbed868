package peers

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Ours builds a program of this module, such as "./cmd/l4stat", and gives its
// path. Like the others it is to be called before testhost.Enter; the child finds
// it built.
func Ours(t testing.TB, pkg string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and runs " + pkg)
	}
	return once(t, filepath.Base(pkg), func(program string) {
		goTool(t, moduleDir(t), nil, "build", "-o", program, pkg)
	})
}

// OursForWindows is Ours for Wine.
func OursForWindows(t testing.TB, pkg string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and runs " + pkg)
	}
	return once(t, filepath.Base(pkg)+".exe", func(program string) {
		goTool(t, moduleDir(t), []string{"GOOS=windows"}, "build", "-o", program, pkg)
	})
}

// BuildNative builds Telegraf with this module's input compiled in and Telegraf's
// own netstat left out, as docs/telegraf.md tells users to.
func BuildNative(t testing.TB) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds Telegraf")
	}
	return once(t, "telegraf", func(program string) { buildNative(t, program) })
}

func buildNative(t testing.TB, program string) {
	t.Helper()
	module := moduleDir(t)
	source := strings.TrimSpace(goTool(t, module, nil, "list", "-m", "-f", "{{.Dir}}", "github.com/influxdata/telegraf"))
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	// The copy stays, and with it what the Go tool adds to its go.sum.
	dir := filepath.Join(cache, "l4stat", "peers", "native", filepath.Base(source))
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		t.Fatal(err)
	}
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatalf("lock %s: %v", lock.Name(), err)
	}
	registration := filepath.Join(dir, "plugins", "inputs", "all", "l4stat.go")
	if _, err := os.Stat(registration); err != nil {
		if err := os.RemoveAll(dir); err != nil {
			t.Fatal(err)
		}
		if out, err := exec.Command("cp", "-r", "--no-preserve=mode", source, dir).CombinedOutput(); err != nil {
			t.Fatalf("copy %s: %v\n%s", source, err, out)
		}
		const text = "package all\n\nimport _ \"github.com/l4stat/l4stat/netstat/telegraf\" // register plugin\n"
		if err := os.WriteFile(registration, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	goTool(t, dir, nil, "mod", "edit", "-require=github.com/l4stat/l4stat@v0.0.0", "-replace=github.com/l4stat/l4stat="+module)
	goTool(t, dir, nil, "build", "-mod=mod", "-tags", "custom,outputs.influxdb", "-o", program, "./cmd/telegraf")
}

// dirVariable names the folder of the programs that are built once for a run of
// tests. The child that testhost.Enter makes inherits it.
const dirVariable = "L4STAT_PEERS_DIR"

// Main runs the tests of a package that uses Ours or BuildNative. It is for
// TestMain.
func Main(m *testing.M) (code int) {
	DefaultHangups()
	if os.Getenv(dirVariable) != "" {
		return m.Run()
	}
	dir, err := os.MkdirTemp("", "peers")
	if err == nil {
		err = os.Setenv(dirVariable, dir)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "make a folder for programs:", err)
		return 1
	}
	defer os.RemoveAll(dir)
	return m.Run()
}

var building sync.Mutex

// once builds a program if this run of tests has not yet.
func once(t testing.TB, name string, build func(program string)) string {
	t.Helper()
	building.Lock()
	defer building.Unlock()
	dir := os.Getenv(dirVariable)
	if dir == "" {
		t.Fatal("peers: the package's TestMain must call peers.Main")
	}
	program := filepath.Join(dir, name)
	if _, err := os.Stat(program); err != nil {
		build(program)
	}
	return program
}

// moduleDir is where this module's go.mod is.
func moduleDir(t testing.TB) string {
	t.Helper()
	return filepath.Dir(strings.TrimSpace(goTool(t, "", nil, "env", "GOMOD")))
}

func goTool(t testing.TB, dir string, env []string, args ...string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", args...)
	cmd.Dir = dir
	// What is built is linked to nothing, as Telegraf's releases are, and runs in
	// any root.
	cmd.Env = append(append(os.Environ(), "CGO_ENABLED=0"), env...)
	var diag strings.Builder
	cmd.Stderr = &diag
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, diag.String()))
	}
	return string(out)
}

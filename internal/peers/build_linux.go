package peers

import (
	"errors"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

// Build gives the path of a program, which "go install" makes the first time.
// pkg is its package with a version; tags are build tags. Call it before
// testhost.Enter: the namespace has no network.
func Build(t testing.TB, pkg string, tags ...string) string {
	t.Helper()
	if testing.Short() {
		t.Skip("builds and runs " + pkg)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatalf("find a folder for %s: %v", pkg, err)
	}
	name, version, _ := strings.Cut(pkg, "@")
	dir := filepath.Join(cache, "l4stat", "peers", strings.Join(append([]string{runtime.Version(), version}, tags...), "-"))
	program := filepath.Join(dir, path.Base(name))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	// Tests of several packages run at once and want the same program.
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatalf("lock %s: %v", lock.Name(), err)
	}
	if _, err := os.Stat(program); err == nil {
		return program
	} else if !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "install", "-tags", strings.Join(tags, ","), pkg)
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go install %s: %v\n%s", pkg, err, out)
	}
	return program
}

// The programs.
const (
	influxd  = "github.com/influxdata/influxdb/cmd/influxd@v1.8.10"
	telegraf = "github.com/influxdata/telegraf/cmd/telegraf@v1.39.3"
)

// BuildInfluxd builds the InfluxDB 1.8 server.
func BuildInfluxd(t testing.TB) string { return Build(t, influxd) }

// BuildTelegraf builds Telegraf with what the tests need of it.
func BuildTelegraf(t testing.TB) string {
	return Build(t, telegraf, "custom", "inputs.execd", "outputs.influxdb", "parsers.influx", "serializers.influx")
}

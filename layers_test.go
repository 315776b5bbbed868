package l4stat_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/l4stat/l4stat"

// dependencies lists the packages that make up a package's build.
func dependencies(t *testing.T, pkg string) []string {
	t.Helper()
	out, err := exec.Command("go", "list", "-deps", module+pkg).Output()
	if err != nil {
		t.Fatalf("go list -deps %s: %v", pkg, err)
	}
	return strings.Fields(string(out))
}

// TestLayers holds that nothing imports what stands above it: kernel -> socket
// -> netstat, grouped by addrports -> emit -> the command line.
func TestLayers(t *testing.T) {
	t.Parallel()
	// Of these, which are built of nothing of this module, all may be built.
	leaves := []string{
		"/internal/guard",
		"/internal/kernel",
		"/internal/nearest",
		"/internal/printable",
		"/internal/privilege",
		"/internal/smallfile",
	}
	below := map[string][]string{ // packages of this module that each may be built of
		"/addrports":         {},
		"/internal/owner":    {},
		"/internal/connstat": {"/internal/owner", "/netstat/socket"},
		"/internal/counters": {"/netstat/metric"},
		"/netstat/metric":    {},
		"/netstat/socket":    {},
		"/netstat":           {"", "/addrports", "/internal/connstat", "/internal/counters", "/internal/owner", "/netstat/metric", "/netstat/socket"},
		"/netstat/emit":      {"/netstat/metric"},
	}
	for _, leaf := range leaves {
		below[leaf] = nil
	}
	for pkg, allowed := range below {
		for _, dep := range dependencies(t, pkg) {
			inner, ours := strings.CutPrefix(dep, module)
			if !ours || inner == pkg {
				continue
			}
			isLeaf := slices.Contains(leaves, inner) && !slices.Contains(leaves, pkg)
			if !isLeaf && !slices.Contains(allowed, inner) {
				t.Errorf("%s imports %s, which is not below it", pkg, dep)
			}
		}
	}
}

// TestLibraryIsLight holds that an agent that imports netstat does not build
// what only the programs need.
func TestLibraryIsLight(t *testing.T) {
	t.Parallel()
	// emit has HTTP; nothing but netstat/telegraf has Telegraf.
	for _, pkg := range []string{"/netstat/emit", "/cmd/l4stat", "/cmd/telegraf-netstat"} {
		for _, dep := range dependencies(t, pkg) {
			if strings.HasPrefix(dep, "github.com/influxdata/telegraf") {
				t.Errorf("%s imports %s", pkg, dep)
			}
		}
	}
	heavy := []string{"kernel.org/pub/linux/libs/security/libcap/psx", module + "/internal/privilege/atstart",
		"net/http", "github.com/spf13/", "github.com/influxdata/telegraf", "github.com/hashicorp/", "golang.org/x/term",
		"github.com/shirou/gopsutil/v3/cpu", "github.com/shirou/gopsutil/v3/mem", "testing"}
	for _, dep := range dependencies(t, "/netstat") {
		for _, h := range heavy {
			if strings.HasPrefix(dep, h) {
				t.Errorf("netstat imports %s", dep)
			}
		}
	}
}

// TestPrivilegesGoFirst holds that the package that takes capabilities out of
// effect imports nothing that can open a file: package os depends on package
// time, and the Go tool initializes a package before others that it does not
// depend on only if all that it imports is there sooner.
func TestPrivilegesGoFirst(t *testing.T) {
	t.Parallel()
	deps := dependencies(t, "/internal/privilege/atstart")
	for _, late := range []string{"os", "time"} {
		if slices.Contains(deps, late) {
			t.Errorf("internal/privilege/atstart imports %s", late)
		}
	}
	for _, program := range []string{"/cmd/l4stat", "/cmd/telegraf-netstat"} {
		if !slices.Contains(dependencies(t, program), module+"/internal/privilege/atstart") {
			t.Errorf("%s does not import internal/privilege/atstart", program)
		}
	}
}

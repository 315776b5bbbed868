package peers

import (
	"context"
	_ "embed"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/testhost"
)

// Wine runs Windows programs. Each has a Windows of its own, whose tables are
// those of the network namespace in which it was started.
type Wine struct{ loader, prefix string }

// wineFolder is where Debian has Wine's loader and server.
const wineFolder = "/usr/lib/wine"

//go:embed testdata/bcryptprimitives.c
var bcryptPrimitives string

// StartWine makes a Windows and has it ready. It takes some 5 s.
func StartWine(t testing.TB) *Wine {
	t.Helper()
	if testing.Short() {
		t.Skip("starts Windows")
	}
	loader := filepath.Join(wineFolder, "wine64")
	if _, err := os.Stat(loader); err != nil {
		testhost.SkipOrFail(t, "needs Wine (Debian: wine64): "+err.Error())
	}
	compiler, err := exec.LookPath("x86_64-w64-mingw32-gcc")
	if err != nil {
		testhost.SkipOrFail(t, "needs a C compiler for Windows (Debian: gcc-mingw-w64-x86-64-win32): "+err.Error())
	}
	w := &Wine{loader: loader, prefix: t.TempDir()}
	// One server for all programs: it would end, and Windows with it, seconds after
	// the last of them.
	// It and what wineboot starts hold their output open: there is none.
	if err := w.server("--persistent").Run(); err != nil {
		t.Fatalf("start Wine's server: %v", err)
	}
	t.Cleanup(func() {
		if err := w.server("--kill").Run(); err != nil {
			t.Errorf("end Wine's server: %v", err)
		}
	})
	if err := w.Command(t.Context(), "wineboot", "--init").Run(); err != nil {
		t.Fatalf("make a Windows: %v", err)
	}
	cc := exec.CommandContext(t.Context(), compiler, "-O2", "-shared", "-x", "c", "-",
		"-o", filepath.Join(w.prefix, "drive_c", "windows", "system32", "bcryptprimitives.dll"), "-ladvapi32")
	cc.Stdin = strings.NewReader(bcryptPrimitives)
	if out, err := cc.CombinedOutput(); err != nil {
		t.Fatalf("compile bcryptprimitives.dll: %v\n%s", err, out)
	}
	return w
}

// Command is one that runs a Windows program. An interrupt is its Ctrl-C.
func (w *Wine) Command(ctx context.Context, program string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, w.loader, append([]string{program}, args...)...)
	cmd.Env = w.env()
	return cmd
}

func (w *Wine) server(option string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(wineFolder, "wineserver64"), option)
	cmd.Env = w.env()
	return cmd
}

func (w *Wine) env() []string {
	return append(os.Environ(), "WINEPREFIX="+w.prefix, "WINEARCH=win64", "WINEDEBUG=-all", "DISPLAY=")
}

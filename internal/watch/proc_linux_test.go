package watch

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/l4stat/l4stat/internal/kernel"
)

// TestReadProc has files of procfs as they should be, short, and with what no
// kernel writes: what is not known is NaN, never 0, and the error names the file.
func TestReadProc(t *testing.T) {
	t.Parallel()
	const whole = "MemTotal: 100 kB\nMemFree: 40 kB\nBuffers: 5 kB\nCached: 20 kB\nShmem: 3 kB\nSReclaimable: 2 kB\n"
	tests := []struct {
		name, file, text string
		read             func(*reading) ([]part, time.Time, error)
		want, problem    string
	}{
		{"memory", "meminfo", whole, readMem, "[{ [36864 40960 5120 20480]}]", ""},
		{"no free memory", "meminfo", strings.Replace(whole, "MemFree", "MemBusy", 1), readMem, "[{ [NaN NaN 5120 20480]}]", "does not have MemFree"},
		{"no total", "meminfo", strings.Replace(whole, "MemTotal", "Total", 1), readMem, "[{ [NaN 40960 5120 20480]}]", "does not have MemTotal"},
		{"an empty file", "meminfo", "", readMem, "[{ [NaN NaN NaN NaN]}]", "does not have MemFree, Buffers, Cached, MemTotal, SReclaimable, Shmem"},
		{"a short line", "meminfo", "MemTotal:\n", readMem, "[]", "not in the expected form"},
		{"a negative one", "meminfo", "MemTotal: -1 kB\n", readMem, "[]", "invalid syntax"},
		{"no file", "other", whole, readMem, "[]", "no such file"},

		{"processors", "stat", "cpu  1 2 4 8 16 32 64 128 0 0\ncpu0 1 2 4 8 16 32 64 128 0 0\ncpu2 0 0 0 1 0 0 0 0\nintr 1\ncpu3 0 0 0 0 0 0 0 0\n", readCPU, "[{0 [99 4 8 16 128]} {2 [0 0 1 0 0]}]", ""},
		{"short", "stat", "cpu  1 2 4 8\ncpu0 1 2 4 8\n", readCPU, "[]", `a line is "cpu0 1 2 4 8", want a processor and 8 times`},
		{"negative", "stat", "cpu0  1 2 4 8 16 32 64 -128 0 0\n", readCPU, "[]", `parsing "-128"`},
		{"endless", "stat", strings.Repeat("9 ", 100_000), readCPU, "[]", "token too long"},
		{"none", "stat", "cpu  1 2 4 8 16 32 64 128 0 0\nintr 1\n", readCPU, "[]", "no line of a processor"},
		{"no file of processors", "other", "", readCPU, "[]", "no such file"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			root := t.TempDir()
			if err := os.WriteFile(filepath.Join(root, tt.file), []byte(tt.text), 0o644); err != nil {
				t.Fatal(err)
			}
			parts, _, err := tt.read(&reading{ctx: context.Background(), host: kernel.At(root)})
			if got := fmt.Sprint(parts); got != tt.want {
				t.Errorf("the figures are %s, want %s", got, tt.want)
			}
			switch {
			case tt.problem == "" && err != nil:
				t.Error(err)
			case tt.problem != "" && (err == nil || !strings.Contains(err.Error(), tt.problem) || !strings.Contains(err.Error(), root)):
				t.Errorf("the error is %v, want one with the path and %q", err, tt.problem)
			}
		})
	}
}

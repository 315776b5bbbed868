package smallfile

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestRead(t *testing.T) {
	t.Parallel()
	const limit = 1000
	whole := strings.Repeat("x", limit)
	tests := []struct{ name, text, problem string }{
		{"empty", "", ""},
		{"a line", "token\n", ""},
		{"as long as it may be", whole, ""},
		{"longer", whole + "x", "longer than 1000 bytes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "file")
			if err := os.WriteFile(path, []byte(tt.text), 0o600); err != nil {
				t.Fatal(err)
			}
			checkRead(t, path, limit, tt.text, tt.problem)
		})
	}
}

func TestReadDirectory(t *testing.T) {
	t.Parallel()
	checkRead(t, t.TempDir(), 1000, "", "directory")
}

func TestReadMissing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "missing")
	if _, err := Read(path, 1000); !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), path) {
		t.Errorf("got the error %v, want fs.ErrNotExist with the path", err)
	}
}

// checkRead reads a path and compares the text, or where problem is not empty
// looks for it and the path in the error.
func checkRead(t *testing.T, path string, limit int64, want, problem string) {
	t.Helper()
	text, err := Read(path, limit)
	switch {
	case problem == "" && (err != nil || string(text) != want):
		t.Errorf("got %d bytes and the error %v, want %d bytes", len(text), err, len(want))
	case problem != "" && (err == nil || text != nil || !strings.Contains(err.Error(), problem) || !strings.Contains(err.Error(), path)):
		t.Errorf("got %d bytes and the error %v, want an error with the path and %q", len(text), err, problem)
	}
}

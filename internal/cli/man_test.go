package cli

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"github.com/l4stat/l4stat/internal/golden"
)

//go:generate go test -run ^TestManPages$ -update .

// manDir is where the manual pages are.
var manDir = filepath.Join("..", "..", "docs", "man")

// TestManPages has the manual pages be what the commands say now. -update writes
// them. What makes them is thus not part of the program.
func TestManPages(t *testing.T) {
	left := map[string]bool{}
	old, err := filepath.Glob(filepath.Join(manDir, "*.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range old {
		left[path] = true
	}
	root := newRoot()
	root.DisableAutoGenTag = true // which has a date
	var each func(*cobra.Command)
	each = func(cmd *cobra.Command) {
		path := filepath.Join(manDir, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1")
		delete(left, path)
		checkManPage(t, cmd, path)
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				each(c)
			}
		}
	}
	each(root)
	for path := range left {
		t.Errorf("%s is of no command", path)
	}
}

func checkManPage(t *testing.T, cmd *cobra.Command, path string) {
	t.Helper()
	var page bytes.Buffer
	date := time.Unix(0, 0).UTC() // otherwise it would be today's
	if err := doc.GenMan(cmd, &doc.GenManHeader{Section: "1", Date: &date, Source: "l4stat", Manual: "User Commands"}, &page); err != nil {
		t.Fatal(err)
	}
	golden.Compare(t, path, bytes.Replace(page.Bytes(), []byte(`"Jan 1970"`), []byte(`""`), 1))
}

package cli

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// TestDocsCommands holds that each command line of l4stat in the docs is of a
// command that there is, and that its flags exist.
func TestDocsCommands(t *testing.T) {
	t.Parallel()
	var names []string
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../deploy/*.md", "../../examples/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		names = append(names, found...)
	}
	found := 0
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range commandLine.FindAllStringSubmatch(string(text), -1) {
			found++
			checkCommandLine(t, name, m[1])
		}
	}
	if found < 20 {
		t.Errorf("found %d command lines of l4stat, want 20 at least", found)
	}
}

// commandLine is l4stat with a command in code: in backquotes or an indented line.
var commandLine = regexp.MustCompile("(?m)(?:`|^    (?:\\$ )?|go run \\./cmd/)l4stat ([a-z][^`\n|#>]*)")

var writtenFlag = regexp.MustCompile(`^--?[A-Za-z]`)

func checkCommandLine(t *testing.T, name, line string) {
	args := strings.Fields(line)
	cmd, args, err := newRoot().Find(args)
	if err != nil || !cmd.HasParent() {
		t.Errorf("%s: l4stat %s: no such command", name, line)
		return
	}
	cmd.InitDefaultHelpFlag()
	for _, arg := range args {
		if flag, _, _ := strings.Cut(arg, "="); writtenFlag.MatchString(flag) && !hasFlag(cmd, flag) {
			t.Errorf("%s: l4stat %s: %s has no flag %s", name, line, cmd.Name(), flag)
		}
	}
}

// hasFlag reports whether cmd has a long flag, or every letter of a short one.
func hasFlag(cmd *cobra.Command, flag string) bool {
	if long, ok := strings.CutPrefix(flag, "--"); ok {
		return cmd.Flags().Lookup(long) != nil
	}
	for i := 1; i < len(flag); i++ {
		if cmd.Flags().ShorthandLookup(flag[i:i+1]) == nil {
			return false
		}
	}
	return true
}

package l4stat_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/netstat"
)

// pages returns the text of every page for people, by its path.
func pages(t *testing.T) map[string]string {
	t.Helper()
	pages := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "deploy/*.md", "examples/*.md"} {
		names, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			text, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			pages[name] = string(text)
		}
	}
	return pages
}

// snippets returns the fenced blocks of a language in a page.
func snippets(page, language string) []string {
	var found []string
	for {
		_, rest, ok := strings.Cut(page, "\n```"+language+"\n")
		if !ok {
			return found
		}
		var block string
		block, page, _ = strings.Cut(rest, "```")
		found = append(found, block)
	}
}

// unindented returns code without its indentation and empty lines.
func unindented(code string) string {
	var b strings.Builder
	for line := range strings.Lines(code) {
		if line = strings.TrimSpace(line); line != "" {
			b.WriteString(line + "\n")
		}
	}
	return b.String()
}

// TestGoSnippets holds that each Go snippet of the docs is part of an Example
// function, which the compiler checks.
func TestGoSnippets(t *testing.T) {
	t.Parallel()
	var examples []string
	for _, name := range []string{"netstat/example_test.go", "netstat/socket/example_test.go"} {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, name, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			if f, ok := d.(*ast.FuncDecl); ok && strings.HasPrefix(f.Name.Name, "Example") {
				body := text[files.Position(f.Body.Lbrace).Offset+1 : files.Position(f.Body.Rbrace).Offset]
				examples = append(examples, unindented(string(body)))
			}
		}
	}
	found := 0
	for name, page := range pages(t) {
	snippet:
		for _, s := range snippets(page, "go") {
			found++
			for _, e := range examples {
				if strings.Contains(e, unindented(s)) {
					continue snippet
				}
			}
			t.Errorf("%s has a Go snippet that is in no Example:\n%s", name, s)
		}
	}
	if found == 0 {
		t.Error("no Go snippet was found")
	}
}

// TestConfigurationSnippets holds that the configurations in the docs can be
// loaded.
func TestConfigurationSnippets(t *testing.T) {
	t.Parallel()
	found := 0
	for name, page := range pages(t) {
		for _, s := range snippets(page, "toml") {
			if !strings.Contains(s, "[[inputs.netstat]]") {
				continue // Telegraf's own
			}
			found++
			if _, err := netstat.Load(name, []byte(s)); err != nil {
				t.Error(err)
			}
		}
	}
	if found == 0 {
		t.Error("no configuration was found")
	}
}

// TestLinks holds that what the pages link to in this repository is there, and
// that README stays a front door.
func TestLinks(t *testing.T) {
	t.Parallel()
	all := pages(t)
	for name, page := range all {
		for _, rest := range strings.Split(page, "](")[1:] {
			target, _, _ := strings.Cut(rest, ")")
			target, anchor, _ := strings.Cut(target, "#")
			if strings.Contains(target, "://") {
				continue
			}
			file := name
			if target != "" {
				file = filepath.Join(filepath.Dir(name), target)
			}
			if _, err := os.Stat(file); err != nil {
				t.Errorf("%s links to %s: %v", name, target, err)
			} else if anchor != "" && !hasAnchor(all[file], anchor) {
				t.Errorf("%s links to %s#%s, a heading that is not there", name, target, anchor)
			}
		}
	}
	if lines := strings.Count(all["README.md"], "\n"); lines > 150 {
		t.Errorf("README.md has %d lines, want 150 at most", lines)
	}
}

// hasAnchor reports whether a page has a heading with that anchor.
func hasAnchor(page, anchor string) bool {
	for line := range strings.Lines(page) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && line[0] == '#' && anchorOf(title) == anchor {
			return true
		}
	}
	return false
}

// anchorOf returns the anchor that a heading has on the web.
func anchorOf(title string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r == '-', r >= '0' && r <= '9', r >= 'a' && r <= 'z':
			return r
		default:
			return -1
		}
	}, strings.ToLower(strings.TrimSpace(title)))
}

// Command licences collects the licences of everything that is built into a
// program, which have to go with it: a folder for each module, one for Go and its
// standard library, and this module's own.
//
//	licences FOLDER PACKAGE
package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: licences FOLDER PACKAGE")
		os.Exit(2)
	}
	if err := collect(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "licences:", err)
		os.Exit(1)
	}
}

// collect writes the licences of the package's modules into folders named
// PATH@VERSION below folder. A module without one is an error.
func collect(folder, pkg string) error {
	out, err := goTool("list", "-deps", "-f", "{{with .Module}}{{.Path}}{{with .Version}}@{{.}}{{end}}\t{{.Dir}}{{end}}", pkg)
	if err != nil {
		return err
	}
	root, err := goTool("env", "GOROOT")
	if err != nil {
		return err
	}
	modules := map[string]string{"go": strings.TrimSpace(root)}
	for line := range strings.Lines(out) {
		if name, dir, ok := strings.Cut(strings.TrimSpace(line), "\t"); ok {
			modules[name] = dir
		}
	}
	for name, dir := range modules {
		if err := copyLicences(filepath.Join(folder, filepath.FromSlash(name)), dir); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
	}
	return nil
}

func goTool(args ...string) (string, error) {
	cmd := exec.Command("go", args...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w", cmd, err)
	}
	return string(out), nil
}

// licence is what people call these files.
var licence = regexp.MustCompile(`(?i)^(licen[cs]e|copying|copyright|notice|patents)([-.].*)?$`)

func copyLicences(to, from string) error {
	files, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	found := 0
	for _, file := range files {
		if !file.Type().IsRegular() || !licence.MatchString(file.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(from, file.Name()))
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(to, file.Name()), text, 0o644); err != nil {
			return err
		}
		found++
	}
	if found == 0 {
		return fmt.Errorf("no licence in %s", from)
	}
	return nil
}

package cli

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/l4stat/l4stat/netstat/emit"
)

// isURL reports whether an output is a write URL.
func isURL(output string) bool {
	output = strings.ToLower(output)
	return strings.HasPrefix(output, "http://") || strings.HasPrefix(output, "https://")
}

// What is no name that anybody gives a file.
var (
	// schemed begins with a scheme and a slash; one letter would be a drive's.
	schemed = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]+:/`)
	// colonless is http and two slashes, the colon missing or misplaced.
	colonless = regexp.MustCompile(`(?i)^https?:?(//|:)`)
	// hostPort is a host and a port, perhaps with a path.
	hostPort = regexp.MustCompile(`^[^/\\]*:[0-9]+(/.*)?$`)
	// queried is a path with parameters.
	queried = regexp.MustCompile(`\?[^/]*=`)
)

// checkFileName refuses an output that was meant to be a URL, by the looks of it,
// and would become a file of that name.
func checkFileName(name string) error {
	var looks string
	switch {
	case name == "":
		return errors.New("it is empty; give a file, a URL, or - for standard output")
	case schemed.MatchString(name), colonless.MatchString(name):
		looks = "is not an http:// or https:// URL"
	case hostPort.MatchString(name):
		looks = "looks like a host and a port"
	case queried.MatchString(name):
		looks = "looks like a URL without http://"
	default:
		return nil
	}
	shown := emit.Redact(name)
	return fmt.Errorf("%q %s; give a URL such as http://localhost:8086/write?db=telegraf, or ./%s for a file of that name", shown, looks, shown)
}

package cli

import (
	"fmt"
	"io"
	"strings"
)

// logger writes diagnostics, a line each.
type logger struct{ w io.Writer }

func (l logger) warn(message string) { l.line("warning: " + message) }

// error writes a line for each of the errors that err joins.
func (l logger) error(err error) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		l.line(line)
	}
}

// line cannot report that standard error is closed, there being nowhere left.
func (l logger) line(text string) { _, _ = fmt.Fprintln(l.w, "l4stat: "+text) }

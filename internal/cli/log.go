package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
)

// logger writes diagnostics, a line each. Goroutines may share it.
type logger struct {
	mu     sync.Mutex
	w      io.Writer
	warned map[string]bool
}

func newLogger(w io.Writer) *logger { return &logger{w: w, warned: map[string]bool{}} }

func (l *logger) warn(message string) { l.line("warning: " + message) }

// warnOnce does not repeat a warning, which each block of a file may have.
func (l *logger) warnOnce(message string) {
	l.mu.Lock()
	again := l.warned[message]
	l.warned[message] = true
	l.mu.Unlock()
	if !again {
		l.warn(message)
	}
}

// error writes a line for each of the errors that err joins.
func (l *logger) error(err error) {
	for line := range strings.SplitSeq(err.Error(), "\n") {
		l.line(line)
	}
}

// line cannot report that standard error is closed, there being nowhere left.
func (l *logger) line(text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	_, _ = fmt.Fprintln(l.w, "l4stat: "+text)
}

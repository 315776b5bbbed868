// Package logger writes what a program has to say beside its results.
package logger

import (
	"io"
	"strings"
	"sync"

	"github.com/l4stat/l4stat/internal/printable"
)

// Logger writes diagnostics, a line each. Goroutines may share it.
type Logger struct {
	mu             sync.Mutex
	w              io.Writer
	warning, fault string // what a line begins with
	warned         sync.Map
}

// New makes a Logger that writes to w. The lines of a warning begin with one
// prefix, those of an error with another.
func New(w io.Writer, warning, fault string) *Logger {
	return &Logger{w: w, warning: warning, fault: fault}
}

// Warn writes a warning.
func (l *Logger) Warn(message string) { l.lines(l.warning, message) }

// WarnOnce does not repeat a warning, which each block of a file may have.
func (l *Logger) WarnOnce(message string) {
	if _, again := l.warned.LoadOrStore(message, nil); !again {
		l.Warn(message)
	}
}

// Error writes a line for each of the errors that err joins.
func (l *Logger) Error(err error) { l.lines(l.fault, err.Error()) }

// lines writes each line of text so that a terminal shows it and obeys nothing in
// it: messages quote files, servers and names that others chose. It cannot report
// that standard error is closed, there being nowhere left.
func (l *Logger) lines(prefix, text string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for line := range strings.SplitSeq(text, "\n") {
		_, _ = io.WriteString(l.w, prefix+printable.Text(line)+"\n")
	}
}

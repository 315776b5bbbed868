// Package logger writes what a program has to say beside its results.
package logger

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"golang.org/x/time/rate"

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

// Info writes what is neither, with the prefix of an error.
func (l *Logger) Info(message string) { l.lines(l.fault, message) }

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

const (
	// reminder is how often the same error is written again.
	reminder = 10 * time.Minute
	// burst and every bound errors that keep changing: so many, and then one each
	// time that this has passed.
	burst = 6
	every = time.Minute
)

// Repeats writes the errors of something that is done again and again: one that
// comes each time only now and then, and of those that keep changing a few.
type Repeats struct {
	log  *Logger
	pace *rate.Limiter

	mu   sync.Mutex
	last string // that was written
	at   time.Time
	left int // that were left out since
}

// Repeats returns a Repeats that writes to l. Goroutines may share it.
func (l *Logger) Repeats() *Repeats {
	return &Repeats{log: l, pace: rate.NewLimiter(rate.Every(every), burst)}
}

// Error writes err, or takes note of it; nil is of a time that went well.
func (r *Repeats) Error(err error) {
	if err == nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	now := time.Now()
	text := err.Error()
	if text == r.last && now.Sub(r.at) < reminder || !r.pace.Allow() {
		r.left++
		return
	}
	if r.left > 0 {
		err = fmt.Errorf("%w (%d more errors since the last that was told)", err, r.left)
	}
	r.log.Error(err)
	r.last, r.at, r.left = text, now, 0
}

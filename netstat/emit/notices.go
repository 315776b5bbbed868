package emit

import (
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/time/rate"
)

const (
	// reminder limits how often the same refusal, or its end, is reported: a server
	// may accept one kind of batch and refuse another forever.
	reminder = 10 * time.Minute
	// noticeBurst and noticeEvery bound what is told when what happens keeps
	// changing: so many lines, and then one each time that this has passed.
	noticeBurst = 6
	noticeEvery = time.Minute
)

// notices tells what becomes of the metrics: a line where something changes, not
// one for each attempt. In the end all losses are told of with their number,
// here or by undelivered.
type notices struct {
	warn  func(string)
	name  string
	limit int
	pace  *rate.Limiter

	mu   sync.Mutex
	lost losses // since it was last told how many there were in the end
	last error  // why metrics wait or were lost; nil when none do or were
	away bool   // it was told that metrics are not taken
	full bool   // it was told that metrics are dropped

	refusal string // that was told last
	toldAt  time.Time
	overAt  time.Time // when it was told last that refusals ended
}

func newNotices(name string, o Options) notices {
	return notices{warn: o.Warn, name: name, limit: o.BufferLimit, pace: rate.NewLimiter(rate.Every(noticeEvery), noticeBurst)}
}

// stop ends the warnings.
func (n *notices) stop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.warn = nil
}

// tell reports whether the line was told. If not, since there is nobody to tell
// it to or there were too many, what it is about is still to be told.
func (n *notices) tell(format string, args ...any) bool {
	if n.warn == nil || !n.pace.Allow() {
		return false
	}
	n.warn(n.name + " " + fmt.Sprintf(format, args...))
	return true
}

// note is for what concerns no metrics.
func (n *notices) note(message string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.tell("%s", message)
}

// failed is for metrics that are to be tried again.
func (n *notices) failed(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last = err
	if !n.away {
		n.away = n.tell("does not take metrics: %v; up to %d are kept for later", err, n.limit)
	}
}

// refused is for metrics that were dropped because they were refused.
func (n *notices) refused(metrics int, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last = err
	n.lost.refused += metrics
	now := time.Now()
	if n.refusal == err.Error() && now.Sub(n.toldAt) < reminder {
		return
	}
	if n.tell("refuses metrics, %d so far, which are dropped: %v", n.lost.refused, err) {
		n.refusal, n.toldAt = err.Error(), now
		n.away = false
	}
}

// overran is for metrics that were dropped because the buffer was full.
func (n *notices) overran(metrics int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lost.overran += metrics
	if !n.full {
		n.full = n.tell("is behind and the buffer of %d metrics is full; the oldest are dropped, %d so far", n.limit, n.lost.overran)
	}
}

// delivered is for metrics that were taken while others may be waiting. After an
// outage or losses it tells how they ended.
func (n *notices) delivered(metrics, waiting int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.lost == (losses{}) {
		n.last = nil
	}
	now := time.Now()
	refusalsOver := n.lost.refused > 0 && now.Sub(n.overAt) >= reminder
	told := false
	switch {
	case n.away, refusalsOver:
		told = n.tell("takes metrics again; %d were waiting%s", metrics+waiting, n.lost)
	case n.lost.overran > 0 && waiting == 0:
		told = n.tell("has caught up%s", n.lost)
	}
	if !told {
		return // undelivered tells, if nothing does before
	}
	if refusalsOver {
		n.overAt = now
	}
	n.away, n.full, n.lost, n.last = false, false, losses{}, nil
}

// losses are numbers of metrics.
type losses struct {
	refused int // by the server
	overran int // by the buffer, being full
}

// String is the end of a sentence, "" when nothing was lost.
func (l losses) String() string {
	var text string
	if l.refused > 0 {
		text += fmt.Sprintf("; %d were refused", l.refused)
	}
	if l.overran > 0 {
		text += fmt.Sprintf("; %d were dropped, the buffer being full", l.overran)
	}
	return text
}

// undelivered returns an error when metrics were lost whose number was not told,
// or are lost now because they are still waiting. gaveUp is the reason where nothing
// else is known, as when the server does not answer.
func (n *notices) undelivered(waiting int, gaveUp error) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	total := waiting + n.lost.refused + n.lost.overran
	if total == 0 {
		return nil
	}
	text := fmt.Sprintf("%d metrics were not delivered", total)
	if n.lost != (losses{}) && waiting > 0 {
		text += fmt.Sprintf("; %d were waiting", waiting)
	}
	text += n.lost.String()
	// Not wrapped: that a connection broke, EPIPE for one, is not what became of
	// this Output.
	if n.last != nil {
		text += ": " + n.last.Error()
	} else if gaveUp != nil {
		text += ": " + gaveUp.Error()
	}
	return errors.New(text)
}

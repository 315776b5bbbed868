package emit

import (
	"errors"
	"fmt"
	"sync"
	"time"
)

// reminder is how often the same refusal is told again, and that it ended: of two
// kinds of batches the server may take one and refuse the other, for ever.
const reminder = 10 * time.Minute

// notices tells what becomes of the metrics: a line where something changes, not
// one for each request. In the end all losses are told of with their number,
// here or by undelivered.
type notices struct {
	warn  func(string)
	url   string
	limit int

	mu   sync.Mutex
	lost losses // since it was last told how many there were in the end
	last error  // why metrics wait or were lost; nil when none do or were
	away bool   // it was told that the server does not take metrics
	full bool   // it was told that metrics are dropped

	refusal string // that was told last
	toldAt  time.Time
	overAt  time.Time // when it was told last that refusals ended
}

// stop ends the warnings.
func (n *notices) stop() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.warn = nil
}

func (n *notices) tell(format string, args ...any) {
	n.warn(n.url + " " + fmt.Sprintf(format, args...))
}

// failed is for a request that is to be repeated.
func (n *notices) failed(err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last = err
	if n.warn != nil && !n.away {
		n.tell("does not take metrics: %v; up to %d are kept for later", err, n.limit)
		n.away = true
	}
}

// refused is for metrics that were dropped because the server refused them.
func (n *notices) refused(metrics int, err error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last = err
	n.lost.refused += metrics
	if now := time.Now(); n.warn != nil && (n.refusal != err.Error() || now.Sub(n.toldAt) >= reminder) {
		n.tell("refuses metrics, %d so far, which are dropped: %v", n.lost.refused, err)
		n.refusal, n.toldAt = err.Error(), now
		n.away = false
	}
}

// overran is for metrics that were dropped because the buffer was full.
func (n *notices) overran(metrics int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.lost.overran += metrics
	if n.warn != nil && !n.full {
		n.tell("is behind and the buffer of %d metrics is full; the oldest are dropped, %d so far", n.limit, n.lost.overran)
		n.full = true
	}
}

// delivered is for metrics that the server took while others may be waiting.
// After an outage or losses it tells how they ended.
func (n *notices) delivered(metrics, waiting int) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.lost == (losses{}) {
		n.last = nil
	}
	if n.warn == nil {
		return // undelivered tells
	}
	now := time.Now()
	refusalsOver := n.lost.refused > 0 && now.Sub(n.overAt) >= reminder
	switch {
	case n.away, refusalsOver:
		n.tell("takes metrics again; %d were waiting%s", metrics+waiting, n.lost)
	case n.lost.overran > 0 && waiting == 0:
		n.tell("has caught up%s", n.lost)
	default:
		return
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

// undelivered gives an error when metrics were lost whose number was not told,
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

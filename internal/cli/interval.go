package cli

import (
	"fmt"

	"github.com/l4stat/l4stat/internal/logger"
	"github.com/l4stat/l4stat/internal/poll"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/emit"
)

// slow returns what warns of an interval that cannot be kept.
func slow(log *logger.Logger) func(*poll.SlowError) {
	return func(e *poll.SlowError) { log.WarnOnce(e.Error()) }
}

// warnOfPrecision warns of blocks whose rows of two rounds can have the same time
// stamp. What stores them takes the second for a correction of the first.
func warnOfPrecision(log *logger.Logger, p emit.Precision, configs []netstat.Config) {
	for _, c := range configs {
		if c.Interval <= p.Duration() {
			log.WarnOnce(fmt.Sprintf("--precision %s with an interval of %v: rows get the same time stamp, and what stores them keeps the last; give a finer precision, or an interval of %v or more",
				p, c.Interval, 2*p.Duration()))
		}
	}
}

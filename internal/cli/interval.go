package cli

import (
	"errors"
	"fmt"
	"strconv"
	"time"

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

// longest is the longest interval that is taken from the command line: more can
// only be meant in another unit.
const longest = 365 * 24 * time.Hour

// seconds reads an interval in seconds, such as 1 or 0.5. The error says what to
// give instead.
func seconds(text string) (time.Duration, error) {
	n, err := strconv.ParseFloat(text, 64)
	switch least, most := netstat.MinInterval.Seconds(), longest.Seconds(); {
	case n > most: // also where it is more than a number can be
		return 0, fmt.Errorf("give %.0f seconds, a year, or less", most)
	case err != nil || !(n > 0): // nor is NaN
		return 0, errors.New("give seconds above 0, such as 1 or 0.5")
	case n < least:
		return 0, fmt.Errorf("give %v seconds or more", least)
	}
	return time.Duration(n * float64(time.Second)), nil
}

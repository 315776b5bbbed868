package netstat

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/l4stat/l4stat/internal/counters"
	"github.com/l4stat/l4stat/netstat/metric"
	"github.com/l4stat/l4stat/netstat/socket"
)

// Included returns the names Config.Include accepts on this system, in output
// order: most on Linux, some on Windows, none elsewhere.
func Included() []string {
	var names []string
	for _, m := range Measurements() {
		if m.Include != "" && !slices.Contains(names, m.Include) {
			names = append(names, m.Include)
		}
	}
	return names
}

// hasConnections reports whether this system has a source of what the kernel
// measures of each connection.
func hasConnections() bool { return slices.Contains(socket.Kinds(), socket.Netlink) }

// included finds the sets that the configuration includes, each once and in the
// order of their metrics.
func (c *Config) included(p *problems) (sets []*counters.Set) {
	for i, name := range c.Include {
		if !slices.Contains(Included(), name) {
			p.add(c.problem(fmt.Sprintf("include[%d]", i), name, includeRemedy(Included())))
		}
	}
	for _, s := range counters.Sets() {
		if slices.Contains(c.Include, s.Name) {
			sets = append(sets, s)
		}
	}
	return sets
}

// includeRemedy says what include may have on a system that has these sets.
func includeRemedy(names []string) string {
	if len(names) == 0 {
		return "this system has none; leave it out"
	}
	return "give one or more of " + quoteList(names)
}

// missing tells Config.Warn, once, which figures of a set are left out for good.
// It reports whether there is a Warn to tell.
func (c *Collector) missing(s *counters.Set, gone counters.Missing) bool {
	if c.warn == nil {
		return false
	}
	for _, err := range gone {
		message := fmt.Sprintf("%s_%s: %v", hostMeasurement, s.Name, err)
		if !c.warned[message] {
			c.warned[message] = true
			c.warn(message)
		}
	}
	return true
}

// addIncluded adds the metrics of a set: one for each of its rows, with as many
// fields as the kernel has.
func (c *Collector) addIncluded(ctx context.Context, r *report, s *counters.Set) error {
	rows, err := s.Read(ctx, c.host)
	if gone, ok := err.(counters.Missing); ok && c.missing(s, gone) {
		err = nil
	}
	for _, row := range rows {
		own := make(map[string]string, len(row.Tags))
		for i, value := range row.Tags {
			own[s.Tags[i]] = value
		}
		m := metric.Metric{Name: hostMeasurement + "_" + s.Name, Tags: mergeTags(own, c.allTags), Fields: row.Fields, Time: r.time}
		if len(m.Fields) > 0 {
			r.metrics = append(r.metrics, m)
		}
	}
	if err != nil {
		return fmt.Errorf("read %s_%s: %w", hostMeasurement, s.Name, err)
	}
	return nil
}

// gatherIncluded adds the metrics of all sets. One that cannot be read does not
// keep the others from being read.
func (c *Collector) gatherIncluded(ctx context.Context, r *report) error {
	before := len(r.metrics)
	var errs []error
	for _, s := range c.included {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		errs = append(errs, c.addIncluded(ctx, r, s))
	}
	c.size.included = len(r.metrics) - before
	return errors.Join(errs...)
}

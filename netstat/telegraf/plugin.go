// Package telegraf is the Telegraf input netstat: importing it registers
// [[inputs.netstat]], in place of Telegraf's built-in input of that name, which
// is best left out of the build.
//
//	import _ "github.com/l4stat/l4stat/netstat/telegraf"
//
// Only this package builds Telegraf.
package telegraf

import (
	"context"
	"fmt"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/plugins/inputs"

	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/metric"
)

// Netstat is the input. Its fields are the keys of netstat.Config but for
// interval and tags, which Telegraf handles itself: its decoder fails on a plugin
// that has them.
type Netstat struct {
	IPVersion       string          `toml:"ip_version"`
	Absent          string          `toml:"absent"`
	PID             bool            `toml:"pid"`
	Source          string          `toml:"source"`
	Include         []string        `toml:"include"`
	ConnectionLimit int             `toml:"connection_limit"`
	RowLimit        int             `toml:"row_limit"`
	Groups          []netstat.Group `toml:"addr_ports"`
	Log             telegraf.Logger `toml:"-"`

	collector *netstat.Collector
	ctx       context.Context // ends a Gather when Telegraf stops
	cancel    context.CancelFunc
}

func init() {
	inputs.Add("netstat", func() telegraf.Input {
		c := netstat.DefaultConfig()
		return &Netstat{IPVersion: c.IPVersion, Absent: c.Absent, PID: c.PID, Source: c.Source, ConnectionLimit: c.ConnectionLimit, RowLimit: c.RowLimit}
	})
}

func (n *Netstat) config() netstat.Config {
	return netstat.Config{
		IPVersion: n.IPVersion, Absent: n.Absent, PID: n.PID, Source: n.Source, Include: n.Include, ConnectionLimit: n.ConnectionLimit, RowLimit: n.RowLimit,
		Groups: n.Groups,
		Warn:   func(message string) { n.Log.Warn(message) },
	}
}

// SampleConfig returns the documented configuration.
func (*Netstat) SampleConfig() string { return netstat.SampleConfig() }

// Init checks the configuration. The error names each invalid key and value,
// and what would be right.
func (n *Netstat) Init() error {
	c := n.config()
	return c.Validate()
}

// Start opens what Gather reads.
func (n *Netstat) Start(telegraf.Accumulator) error {
	collector, err := netstat.New(n.config())
	if err != nil {
		return err
	}
	n.collector = collector
	n.ctx, n.cancel = context.WithCancel(context.Background())
	return nil
}

// Gather counts the host's sockets, and reads what Include names. What could be
// read arrives, also when there is an error for the rest.
func (n *Netstat) Gather(acc telegraf.Accumulator) error {
	metrics, err := n.collector.Gather(n.ctx)
	Add(acc, metrics)
	if n.ctx.Err() != nil {
		return nil // Telegraf stops
	}
	acc.AddError(err)
	return nil
}

// Stop ends a Gather under way and frees what Start opened.
func (n *Netstat) Stop() {
	n.cancel()
	if err := n.collector.Close(); err != nil {
		n.Log.Error(fmt.Errorf("close: %w", err))
	}
}

// Add passes metrics to an accumulator: fields that count up as a counter, the
// others as a gauge, which makes two metrics of one that has both.
func Add(acc telegraf.Accumulator, metrics []metric.Metric) {
	for _, m := range metrics {
		tags := make(map[string]string, len(m.Tags))
		for _, t := range m.Tags {
			tags[t.Key] = t.Value
		}
		gauges, counters := make(map[string]any, len(m.Fields)), map[string]any{}
		for _, f := range m.Fields {
			if f.Kind == metric.Counter {
				counters[f.Key] = f.Value.Any()
			} else {
				gauges[f.Key] = f.Value.Any()
			}
		}
		if len(counters) > 0 {
			acc.AddCounter(m.Name, counters, tags, m.Time)
		}
		if len(gauges) > 0 {
			acc.AddGauge(m.Name, gauges, tags, m.Time)
		}
	}
}

package netstat

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	"github.com/l4stat/l4stat/internal/counters"
	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/internal/owner"
	"github.com/l4stat/l4stat/netstat/metric"
	"github.com/l4stat/l4stat/netstat/socket"
)

// Collector gathers metrics as its Config says. Its methods may be called by
// several goroutines; Gathers take turns.
type Collector struct {
	turn        chan struct{} // holds a token, which whoever gathers takes out
	host        kernel.Host
	sockets     socket.Source
	query       socket.Query
	owners      *owner.Finder // nil: no pid
	warnRefused func(string)  // told once that owners may not be looked for; nil afterwards
	sum         bool          // one netstat row for all IP versions
	closed      bool
	tags        [numVersions][]metric.Tag
	entries     []*entryReport // in the order of the groups

	included []*counters.Set
	allTags  map[string]string // of every row

	warn   func(string)    // nil: nobody wants to know
	warned map[string]bool // what was told

	tally tally
	count func(*socket.Socket) error // counts into tally; made once

	// Reused from one Gather to the next.
	rows   []reportRow
	wanted []owner.Row
	size   struct{ metrics, included, tags, fields int } // of the last report
}

// New makes a Collector. It does not read anything yet; the error is that of
// [Config.Validate]. Close the Collector after use.
func New(c Config) (*Collector, error) {
	groups, err := c.parse()
	if err != nil {
		return nil, err
	}
	if c.Warn != nil {
		for _, w := range c.Warnings() {
			c.Warn(w)
		}
	}
	host := kernel.This()
	if c.ProcRoot != "" {
		host = kernel.At(c.ProcRoot)
	}
	sockets := c.Sockets
	if sockets == nil {
		sockets, err = socket.Open(c.Source, socket.Options{ProcRoot: host.Proc(), Warn: c.Warn})
		if err != nil {
			return nil, err
		}
	}
	col := &Collector{turn: make(chan struct{}, 1), sockets: sockets, sum: c.IPVersion == SumIPVersions, allTags: maps.Clone(c.Tags),
		host: host, warn: c.Warn, warned: map[string]bool{}}
	col.included = c.included(&problems{}) // parse has reported what is wrong with it
	if c.PID {
		col.owners, col.warnRefused = owner.New(host.Proc()), c.Warn
	}
	for v := range numVersions {
		own := map[string]string{tagIPVersion: versionTags[v]}
		if col.sum {
			own = nil
		}
		col.tags[v] = mergeTags(own, c.Tags)
	}
	col.tally.connections = newConnections(&c)
	others := otherRows{}
	for _, g := range groups {
		var summary *connectionGroup
		if col.tally.connections != nil {
			summary = col.tally.connections.addGroup(g, &c)
			col.query.Details = connectionDetails
		}
		for i, e := range g.entries {
			r := newEntryReport(e, g, &c)
			if e.PerAddress() {
				r.byAddress = newAddressRows(&c, g, i)
				others.share(r)
			}
			r.summary = summary
			col.entries = append(col.entries, r)
		}
	}
	col.tally.entries, col.tally.matcher = col.entries, matcherOf(groups)
	col.count = func(s *socket.Socket) error {
		col.tally.count(s)
		return nil
	}
	col.turn <- struct{}{}
	return col, nil
}

// Gather counts the host's sockets now. The metrics are the caller's: netstat
// for IPv4, for IPv6 and, where there are such sockets, for unknown addresses;
// then netstat_port in the order of the groups and their entries, IPv4 before
// IPv6; then the sets of Config.Include, in the order of [Included]. It costs one
// pass over the kernel's tables, for the owners a readlink for each row while
// they stay the same, and a few small files for each set.
//
// An error may come with metrics. When the kernel's table of a protocol cannot
// be read, the fields of that protocol are left out; when owners cannot be,
// pid is; when a set cannot be, its rows are. There are no metrics when nothing
// could be read, or when ctx ended.
func (c *Collector) Gather(ctx context.Context) ([]metric.Metric, error) {
	select {
	case <-c.turn:
		defer func() { c.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}

	if c.closed {
		return nil, ErrClosed
	}
	r := report{time: time.Now()}
	err := errors.Join(c.gatherSockets(ctx, &r), c.gatherIncluded(ctx, &r))
	if r.known[0] { // the TCP tables could be read
		err = errors.Join(err, r.addConnections(c.tally.connections, c.allTags))
	}
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return r.metrics, err
}

// gatherSockets adds the metrics of the host's sockets.
func (c *Collector) gatherSockets(ctx context.Context, r *report) error {
	c.tally.reset()
	err := c.sockets.Each(ctx, c.query, c.count)
	if ctx.Err() == nil && c.tally.recount() {
		err = c.sockets.Each(ctx, c.query, c.count)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	var failed socket.TableErrors
	if err != nil {
		partly := errors.As(err, &failed)
		err = fmt.Errorf("count sockets: %w", err)
		if !partly || failed.Protocol(socket.TCP) && failed.Protocol(socket.UDP) {
			return err
		}
	}
	for i := range r.known {
		r.known[i] = !failed.Protocol(protocolOf(i))
	}

	clear(c.rows) // they hold on to what they point to
	c.rows = c.rows[:0]
	for _, e := range c.entries {
		c.rows = e.appendRows(c.rows)
	}
	if ownerErr := c.findOwners(ctx); ownerErr != nil {
		err = errors.Join(err, fmt.Errorf("look up the owners of sockets: %w", ownerErr))
	}
	c.report(r)
	return err
}

// findOwners fills c.wanted with c.rows and their owners.
func (c *Collector) findOwners(ctx context.Context) error {
	clear(c.wanted)
	c.wanted = c.wanted[:0]
	for _, r := range c.rows {
		c.wanted = append(c.wanted, owner.Row{Inodes: r.inodes, Listener: r.n[tcpListen] > 0})
	}
	if c.owners == nil {
		return nil
	}
	err := c.owners.Find(ctx, c.wanted)
	for i, r := range c.rows {
		if r.pid != 0 {
			c.wanted[i].PID = r.pid
		}
	}
	if c.warnRefused != nil && c.owners.Refused() {
		c.warnRefused("pid is left out of some rows: other users' processes may not be looked into; " +
			owner.NeedsPrivilege + ", or set pid = false")
		c.warnRefused = nil
	}
	return err
}

// report turns the tally and c.rows into metrics.
func (c *Collector) report(r *report) {
	r.metrics = make([]metric.Metric, 0, c.size.metrics+c.size.included)
	r.tags = make([]metric.Tag, 0, c.size.tags)
	r.fields = make([]metric.Field, 0, c.size.fields)

	host := &c.tally.host
	if c.sum {
		var all counts
		for v := range host {
			for i, n := range host[v] {
				all[i] += n
			}
		}
		r.add(hostMeasurement, c.tags[0], &all, 0)
	} else {
		r.add(hostMeasurement, c.tags[version4], &host[version4], 0)
		r.add(hostMeasurement, c.tags[version6], &host[version6], 0)
		if host[versionUnknown].any() {
			r.add(hostMeasurement, c.tags[versionUnknown], &host[versionUnknown], 0)
		}
	}
	for i, row := range c.rows {
		tags := r.add(portMeasurement, row.entry.tags[row.version], &row.n, c.wanted[i].PID)
		if row.address != "" {
			tags[row.entry.addrPort].Value = row.address
		}
	}
	c.size.metrics, c.size.tags, c.size.fields = len(r.metrics), len(r.tags), len(r.fields)
}

// ErrClosed is the error of a Gather after Close.
var ErrClosed = errors.New("the collector is closed")

// Close frees what the Collector holds open. It waits for a Gather under way.
func (c *Collector) Close() error {
	<-c.turn
	defer func() { c.turn <- struct{}{} }()
	c.closed = true
	return c.sockets.Close()
}

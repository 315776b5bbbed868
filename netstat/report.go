package netstat

import (
	"fmt"
	"slices"
	"time"

	"github.com/l4stat/l4stat/addrports"
	"github.com/l4stat/l4stat/netstat/metric"
)

// The measurements.
const (
	hostMeasurement = "netstat"
	portMeasurement = "netstat_port"
)

// entryReport says how the rows of one entry are reported.
type entryReport struct {
	*entryRows
	entry addrports.Entry
	// tags of the rows by IP version, in order. Where the rows are by address,
	// the value of addr_port is still to be set, at addrPort.
	tags     [numVersions][]metric.Tag
	addrPort int
	zeros    bool // report the entry even when it has no sockets

	summary *connectionGroup // of the entry's group; nil: not asked for
}

func newEntryReport(e addrports.Entry, g group, c *Config) *entryReport {
	r := &entryReport{entryRows: &entryRows{}, entry: e, zeros: c.Absent == ZeroAbsent}
	own := map[string]string{tagAddrPort: e.String()}
	if g.side == RemoteSide {
		own[tagSide] = RemoteSide
	}
	for v := range numVersions {
		own[tagIPVersion] = versionTags[v]
		r.tags[v] = mergeTags(own, g.tags, c.Tags)
	}
	if e.PerAddress() {
		r.zeros = false // of which address?
		r.addrPort = slices.IndexFunc(r.tags[0], func(t metric.Tag) bool { return t.Key == tagAddrPort })
	}
	return r
}

// seriesOfOther tells entries apart whose sockets without a row of their own are
// counted in different rows.
func (r *entryReport) seriesOfOther() string {
	tags := slices.Clone(r.tags[0])
	tags[r.addrPort].Value = otherAddrPort
	return fmt.Sprintf("%q", tags)
}

// reportRow is a row on its way into a Metric.
type reportRow struct {
	n       counts
	inodes  []uint64 // of sockets whose owner may be the row's
	pid     int      // the owner, where the source knows it
	entry   *entryReport
	version version
	address string // of a row by address
}

// appendRows appends the rows of the entry that are to be reported, in order:
// IPv4 before IPv6, addresses ascending, and what has no address of its own last.
func (r *entryReport) appendRows(rows []reportRow) []reportRow {
	if r.byAddress != nil {
		return r.appendAddresses(rows)
	}
	first := len(rows)
	for v := range numVersions {
		if r.byVersion[v].n.any() {
			rows = append(rows, r.rowOf(v))
		}
	}
	if r.zeros && len(rows) == first {
		for _, v := range []version{version4, version6} {
			if p, ok := r.entry.Prefix(); !ok || versionOf(p.Addr()) == v {
				rows = append(rows, r.rowOf(v))
			}
		}
	}
	return rows
}

func (r *entryReport) rowOf(v version) reportRow {
	by := &r.byVersion[v]
	return reportRow{n: by.n, inodes: by.owners.list(), pid: by.owners.pid, entry: r, version: v}
}

func (r *entryReport) appendAddresses(rows []reportRow) []reportRow {
	a := r.byAddress
	for _, i := range a.pick() {
		by := &a.rows[i]
		ap := by.key.addrPort()
		row := reportRow{entry: r, version: versionOf(ap.Addr()), address: ap.String()}
		for field, n := range by.n {
			row.n[field] = int64(n)
		}
		row.inodes, row.pid = a.owner(by)
		rows = append(rows, row)
	}
	if a.other.last == r {
		for v := range numVersions {
			if n := a.other.n[v]; n.any() {
				rows = append(rows, reportRow{n: n, entry: r, version: v, address: otherAddrPort})
			}
		}
	}
	return rows
}

// report collects metrics. Their tags and fields are cut from two slices that
// all of them share, so that a report costs few allocations.
type report struct {
	time    time.Time
	known   [numFields]bool // fields of tables that could be read
	metrics []metric.Metric
	tags    []metric.Tag
	fields  []metric.Field
}

// add adds a metric of those counts that are known, unless none is, and of pid
// unless that is 0. It gives the metric's tags, for changes.
func (r *report) add(name string, tags []metric.Tag, n *counts, pid int) []metric.Tag {
	firstTag, firstField := len(r.tags), len(r.fields)
	r.tags = append(r.tags, tags...)
	for i := range countDescs {
		if r.known[i] {
			r.fields = append(r.fields, metric.Field{Desc: &countDescs[i], Value: metric.Int(n[i])})
		}
	}
	if pid != 0 {
		r.fields = append(r.fields, metric.Field{Desc: &pidDesc, Value: metric.Int(int64(pid))})
	}
	m := metric.Metric{Name: name, Tags: slices.Clip(r.tags[firstTag:]), Fields: slices.Clip(r.fields[firstField:]), Time: r.time}
	r.metrics = append(r.metrics, m)
	return m.Tags
}

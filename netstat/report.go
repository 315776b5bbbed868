package netstat

import (
	"maps"
	"net/netip"
	"slices"
	"time"

	"github.com/l4stat/l4stat/addrports"
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
	tags     [numVersions][]Tag
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
		r.byAddress = map[netip.AddrPort]*row{}
		r.zeros = false // of which address?
		r.addrPort = slices.IndexFunc(r.tags[0], func(t Tag) bool { return t.Key == tagAddrPort })
	}
	return r
}

// reportRow is a row on its way into a Metric.
type reportRow struct {
	*row
	entry   *entryReport
	version version
	address netip.AddrPort // of a row by address
}

// appendRows appends the rows of the entry that are to be reported, in order:
// IPv4 before IPv6, addresses ascending.
func (r *entryReport) appendRows(rows []reportRow) []reportRow {
	if r.byAddress != nil {
		for _, ap := range slices.SortedFunc(maps.Keys(r.byAddress), netip.AddrPort.Compare) {
			rows = append(rows, reportRow{r.byAddress[ap], r, versionOf(ap.Addr()), ap})
		}
		return rows
	}
	first := len(rows)
	for v := range numVersions {
		if r.byVersion[v].n.any() {
			rows = append(rows, reportRow{row: &r.byVersion[v], entry: r, version: v})
		}
	}
	if r.zeros && len(rows) == first {
		for _, v := range []version{version4, version6} {
			if p, ok := r.entry.Prefix(); !ok || versionOf(p.Addr()) == v {
				rows = append(rows, reportRow{row: &r.byVersion[v], entry: r, version: v})
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
	metrics []Metric
	tags    []Tag
	fields  []Field
}

// add adds a metric of those counts that are known, unless none is, and of pid
// unless that is 0. It gives the metric's tags, for changes.
func (r *report) add(name string, tags []Tag, n *counts, pid int) []Tag {
	firstTag, firstField := len(r.tags), len(r.fields)
	r.tags = append(r.tags, tags...)
	for i, key := range fieldKeys {
		if r.known[i] {
			r.fields = append(r.fields, Field{Key: key, Value: Int(n[i])})
		}
	}
	if pid != 0 {
		r.fields = append(r.fields, Field{Key: fieldPID, Value: Int(int64(pid))})
	}
	m := Metric{Name: name, Tags: slices.Clip(r.tags[firstTag:]), Fields: slices.Clip(r.fields[firstField:]), Time: r.time}
	r.metrics = append(r.metrics, m)
	return m.Tags
}

package counters

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"

	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/internal/smallfile"
	"github.com/l4stat/l4stat/netstat/metric"
)

// conntrack is how full the table is in which netfilter tracks connections. A
// kernel that does not track has no row.
var conntrack = &Set{
	Name:   "conntrack",
	Fields: append([]*metric.Desc{&conntrackEntries, &conntrackMax, &conntrackUsed}, descsOf(conntrackFigures)...),
	read:   readConntrack,
}

var (
	conntrackEntries = gauge("entries", "/proc/sys/net/netfilter/nf_conntrack_count", "connections")
	conntrackMax     = gauge("max", "/proc/sys/net/netfilter/nf_conntrack_max", "connections")
	conntrackUsed    = gauge("used_percent", "100 * entries / max", "percent")
)

const statConntrack = "/proc/net/stat/nf_conntrack"

// The figures are sums over the processors, each of which has 32 bits.
var conntrackFigures = []figure[procfs.ConntrackStatEntry]{
	counterFigure("drop", statConntrack+" drop", "packets", func(s *procfs.ConntrackStatEntry) uint64 { return s.Drop }),
	counterFigure("early_drop", statConntrack+" early_drop", "connections", func(s *procfs.ConntrackStatEntry) uint64 { return s.EarlyDrop }),
	counterFigure("insert_failed", statConntrack+" insert_failed", "packets", func(s *procfs.ConntrackStatEntry) uint64 { return s.InsertFailed }),
}

// readConntrack reads the number of entries and the limit, which are sysctls, and
// the statistics, which have the number of entries too.
func readConntrack(_ context.Context, host kernel.Host) ([]Row, error) {
	stat, perProcessor, statErr := readConntrackStat(host)
	entries, err := readNumber(host, "nf_conntrack_count")
	most, maxErr := readNumber(host, "nf_conntrack_max")
	hidden := absent(err) && absent(maxErr)
	if hidden {
		err, maxErr = nil, nil
		entries = int64(stat.Entries)
	}
	if err := errors.Join(err, maxErr); err != nil {
		return nil, err
	}

	var row Row
	var gone Missing
	if !hidden || perProcessor {
		row.Fields = append(row.Fields, metric.Field{Desc: &conntrackEntries, Value: metric.Int(entries)})
	}
	switch {
	case !hidden:
		row.Fields = append(row.Fields, metric.Field{Desc: &conntrackMax, Value: metric.Int(most)})
		if most > 0 { // 0 is no limit
			row.Fields = append(row.Fields, metric.Field{Desc: &conntrackUsed, Value: metric.Float(float64(entries) * 100 / float64(most))})
		}
	case perProcessor:
		gone = append(gone, &missingError{[]string{"max", "used_percent"}, host, netfilterPath(host, "nf_conntrack_max")})
	case !shows(host, "sys/net"):
		gone = append(gone, &missingError{[]string{"all"}, host, netfilterPath(host, "nf_conntrack_count")})
	}
	if perProcessor {
		row.Fields = append(row.Fields, fieldsOf(conntrackFigures, &stat)...)
	}
	if len(row.Fields) == 0 { // the kernel does not track, or nothing tells
		return nil, gone.with(statErr)
	}
	return []Row{row}, gone.with(statErr)
}

// readConntrackStat adds up what the processors counted, but for the number of
// entries, which each has of them all. ok is false where there is nothing to read:
// the kernel does not track, or is without CONFIG_NF_CONNTRACK_PROCFS.
func readConntrackStat(host kernel.Host) (total procfs.ConntrackStatEntry, ok bool, err error) {
	all, err := selfFS(host)
	if err != nil {
		return total, false, err
	}
	processors, err := parse(host, "net/stat/nf_conntrack", all.ConntrackStat)
	if absent(err) {
		return total, false, nil
	}
	if err != nil {
		return total, false, err
	}
	for _, p := range processors {
		total.Entries = p.Entries
		total.Drop += p.Drop
		total.EarlyDrop += p.EarlyDrop
		total.InsertFailed += p.InsertFailed
	}
	return total, len(processors) > 0, nil
}

// shows reports whether procfs has a folder.
func shows(host kernel.Host, folder string) bool {
	info, err := os.Stat(host.Proc(folder))
	return err == nil && info.IsDir()
}

func netfilterPath(host kernel.Host, name string) string {
	return host.Proc("sys", "net", "netfilter", name)
}

// readNumber reads a file of /proc/sys/net/netfilter, which are of the network
// namespace that the reader is in.
func readNumber(host kernel.Host, name string) (int64, error) {
	path := netfilterPath(host, name)
	text, err := smallfile.Read(path, maxFile)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		// What it is instead is not shown: HOST_PROC may name anybody's files.
		return 0, fmt.Errorf("read %s: it is not a number", path)
	}
	return n, nil
}

package counters

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"
)

// conntrack is how full the table is in which netfilter tracks connections. A
// kernel that does not track has no row.
var conntrack = &Set{
	Name:   "conntrack",
	Fields: append(conntrackTable[:], fieldsOf(conntrackFigures)...),
	read:   readConntrack,
}

var conntrackTable = [...]Field{
	{"entries", "/proc/sys/net/netfilter/nf_conntrack_count", "connections", false},
	{"max", "/proc/sys/net/netfilter/nf_conntrack_max", "connections", false},
	{"used_percent", "100 * entries / max", "percent", false},
}

const statConntrack = "/proc/net/stat/nf_conntrack"

// The figures are sums over the processors, each of which has 32 bits.
var conntrackFigures = []figure[procfs.ConntrackStatEntry]{
	counterFigure("drop", statConntrack+" drop", "packets", func(s *procfs.ConntrackStatEntry) uint64 { return s.Drop }),
	counterFigure("early_drop", statConntrack+" early_drop", "connections", func(s *procfs.ConntrackStatEntry) uint64 { return s.EarlyDrop }),
	counterFigure("insert_failed", statConntrack+" insert_failed", "packets", func(s *procfs.ConntrackStatEntry) uint64 { return s.InsertFailed }),
}

func readConntrack(_ context.Context, root string) ([]Row, error) {
	entries, err := readNumber(root, "nf_conntrack_count")
	if absent(err) {
		return nil, nil
	}
	most, maxErr := readNumber(root, "nf_conntrack_max")
	if err := errors.Join(err, maxErr); err != nil {
		return nil, err
	}
	row := Row{Values: []Value{{&conntrackTable[0], entries}, {&conntrackTable[1], most}}}
	if most > 0 { // 0 is no limit
		row.Values = append(row.Values, Value{&conntrackTable[2], float64(entries) * 100 / float64(most)})
	}

	all, err := mounted(root)
	if err != nil {
		return []Row{row}, err
	}
	processors, err := all.ConntrackStat()
	if absent(err) {
		return []Row{row}, nil // the kernel is without CONFIG_NF_CONNTRACK_PROCFS
	}
	if err != nil {
		return []Row{row}, fmt.Errorf("read net/stat/nf_conntrack: %w", err)
	}
	var total procfs.ConntrackStatEntry
	for _, p := range processors {
		total.Drop += p.Drop
		total.EarlyDrop += p.EarlyDrop
		total.InsertFailed += p.InsertFailed
	}
	row.Values = append(row.Values, valuesOf(conntrackFigures, &total)...)
	return []Row{row}, nil
}

// readNumber reads a file of /proc/sys/net/netfilter, which are of the network
// namespace that the reader is in.
func readNumber(root, name string) (int64, error) {
	path := filepath.Join(root, "sys", "net", "netfilter", name)
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	n, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("read %s: %w", path, err)
	}
	return n, nil
}

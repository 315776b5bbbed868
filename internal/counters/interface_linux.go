package counters

import (
	"context"
	"maps"
	"slices"

	"github.com/prometheus/procfs"

	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/internal/printable"
)

// interfaces is what went through each network interface, a row each. The fields
// have the names of Telegraf's input net. They count from when the interface was
// made.
var interfaces = &Set{Name: "interface", Tags: []string{"interface"}, Fields: descsOf(interfaceFigures), read: readInterfaces}

const netDev = "/proc/net/dev "

var interfaceFigures = []figure[procfs.NetDevLine]{
	counterFigure("bytes_recv", netDev+"Receive bytes", "bytes", func(l *procfs.NetDevLine) uint64 { return l.RxBytes }),
	counterFigure("bytes_sent", netDev+"Transmit bytes", "bytes", func(l *procfs.NetDevLine) uint64 { return l.TxBytes }),
	counterFigure("packets_recv", netDev+"Receive packets", "packets", func(l *procfs.NetDevLine) uint64 { return l.RxPackets }),
	counterFigure("packets_sent", netDev+"Transmit packets", "packets", func(l *procfs.NetDevLine) uint64 { return l.TxPackets }),
	counterFigure("err_in", netDev+"Receive errs", "packets", func(l *procfs.NetDevLine) uint64 { return l.RxErrors }),
	counterFigure("err_out", netDev+"Transmit errs", "packets", func(l *procfs.NetDevLine) uint64 { return l.TxErrors }),
	// rx_dropped + rx_missed_errors (net/core/net-procfs.c, dev_seq_printf_stats).
	counterFigure("drop_in", netDev+"Receive drop", "packets", func(l *procfs.NetDevLine) uint64 { return l.RxDropped }),
	counterFigure("drop_out", netDev+"Transmit drop", "packets", func(l *procfs.NetDevLine) uint64 { return l.TxDropped }),
}

func readInterfaces(_ context.Context, host kernel.Host) ([]Row, error) {
	all, err := selfFS(host)
	if err != nil {
		return nil, err
	}
	lines, err := parse(host, "net/dev", all.NetDev)
	if err != nil {
		return nil, err
	}
	var rows []Row
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		line := lines[name]
		rows = append(rows, Row{Tags: []string{printable.Text(name)}, Fields: fieldsOf(interfaceFigures, &line)})
	}
	return rows, nil
}

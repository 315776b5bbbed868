package counters

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/prometheus/procfs"
)

// interfaces is what went through each network interface, a row each. The fields
// have the names of Telegraf's input net.
var interfaces = &Set{Name: "interface", Tags: []string{"interface"}, Fields: fieldsOf(interfaceFigures), read: readInterfaces}

const netDev = "/proc/net/dev "

var interfaceFigures = []figure[procfs.NetDevLine]{
	{Field{"bytes_recv", netDev + "Receive bytes", "bytes", true}, func(l *procfs.NetDevLine) *float64 { return sum(l.RxBytes) }},
	{Field{"bytes_sent", netDev + "Transmit bytes", "bytes", true}, func(l *procfs.NetDevLine) *float64 { return sum(l.TxBytes) }},
	{Field{"packets_recv", netDev + "Receive packets", "packets", true}, func(l *procfs.NetDevLine) *float64 { return sum(l.RxPackets) }},
	{Field{"packets_sent", netDev + "Transmit packets", "packets", true}, func(l *procfs.NetDevLine) *float64 { return sum(l.TxPackets) }},
	{Field{"err_in", netDev + "Receive errs", "packets", true}, func(l *procfs.NetDevLine) *float64 { return sum(l.RxErrors) }},
	{Field{"err_out", netDev + "Transmit errs", "packets", true}, func(l *procfs.NetDevLine) *float64 { return sum(l.TxErrors) }},
	{Field{"drop_in", netDev + "Receive drop", "packets", true}, func(l *procfs.NetDevLine) *float64 { return sum(l.RxDropped) }},
	{Field{"drop_out", netDev + "Transmit drop", "packets", true}, func(l *procfs.NetDevLine) *float64 { return sum(l.TxDropped) }},
}

func readInterfaces(_ context.Context, root string) ([]Row, error) {
	proc, err := self(root)
	if err != nil {
		return nil, err
	}
	lines, err := proc.NetDev()
	if err != nil {
		return nil, fmt.Errorf("read net/dev: %w", err)
	}
	var rows []Row
	for _, name := range slices.Sorted(maps.Keys(lines)) {
		line := lines[name]
		rows = append(rows, Row{Tags: []string{name}, Values: valuesOf(interfaceFigures, &line)})
	}
	return rows, nil
}

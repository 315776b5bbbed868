package counters

import (
	"context"
	"fmt"
	"unsafe"

	"golang.org/x/sys/windows"

	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/internal/printable"
)

// interfaces is what went through each network interface, a row each, with the
// names that Windows shows ("Ethernet"). The fields have the names of Telegraf's
// input net. They count from when the interface was made.
var interfaces = &Set{Name: "interface", Tags: []string{"interface"}, Fields: descsOf(interfaceFigures), read: readInterfaces}

var interfaceFigures = []figure[windows.MibIfRow2]{
	interfaceFigure("bytes_recv", "InOctets", "bytes", func(r *windows.MibIfRow2) uint64 { return r.InOctets }),
	interfaceFigure("bytes_sent", "OutOctets", "bytes", func(r *windows.MibIfRow2) uint64 { return r.OutOctets }),
	interfaceFigure("packets_recv", "InUcastPkts + InNUcastPkts", "packets", func(r *windows.MibIfRow2) uint64 { return r.InUcastPkts + r.InNUcastPkts }),
	interfaceFigure("packets_sent", "OutUcastPkts + OutNUcastPkts", "packets", func(r *windows.MibIfRow2) uint64 { return r.OutUcastPkts + r.OutNUcastPkts }),
	interfaceFigure("err_in", "InErrors", "packets", func(r *windows.MibIfRow2) uint64 { return r.InErrors }),
	interfaceFigure("err_out", "OutErrors", "packets", func(r *windows.MibIfRow2) uint64 { return r.OutErrors }),
	interfaceFigure("drop_in", "InDiscards", "packets", func(r *windows.MibIfRow2) uint64 { return r.InDiscards }),
	interfaceFigure("drop_out", "OutDiscards", "packets", func(r *windows.MibIfRow2) uint64 { return r.OutDiscards }),
}

func interfaceFigure(key, member, unit string, get func(*windows.MibIfRow2) uint64) figure[windows.MibIfRow2] {
	return alwaysFigure(counter(key, "MIB_IF_ROW2 "+member, unit), get)
}

// filterInterface marks a layer that looks at what another interface carries: in
// InterfaceAndOperStatusFlags, the bit after HardwareInterface (netioapi.h). Its
// figures are that interface's once more.
const filterInterface = 1 << 1

func readInterfaces(context.Context, kernel.Host) ([]Row, error) {
	var table *windows.MibIfTable2
	if err := windows.GetIfTable2Ex(windows.MibIfEntryNormal, &table); err != nil {
		return nil, fmt.Errorf("list the interfaces: %w", err)
	}
	defer windows.FreeMibTable(unsafe.Pointer(table))
	var rows []Row
	all := unsafe.Slice(&table.Table[0], table.NumEntries)
	for i := range all {
		if all[i].InterfaceAndOperStatusFlags&filterInterface != 0 {
			continue
		}
		name := windows.UTF16ToString(all[i].Alias[:])
		rows = append(rows, Row{Tags: []string{printable.Text(name)}, Fields: fieldsOf(interfaceFigures, &all[i])})
	}
	return rows, nil
}

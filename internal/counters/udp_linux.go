package counters

import (
	"context"
	"errors"

	"github.com/prometheus/procfs"

	"github.com/l4stat/l4stat/internal/kernel"
)

// udp is what UDP did, a row for each IP version. A kernel without IPv6 has no
// row for it.
var udp = &Set{Name: "udp", Tags: []string{"ip_version"}, Fields: descsOf(udpFigures), read: readUDP}

// The figures of IPv6 are those of IPv4 by the same names, so that one table does
// for both.
var udpFigures = []figure[procfs.Udp]{
	udpFigure("in_datagrams", "InDatagrams", func(u *procfs.Udp) *float64 { return u.InDatagrams }),
	udpFigure("out_datagrams", "OutDatagrams", func(u *procfs.Udp) *float64 { return u.OutDatagrams }),
	udpFigure("no_ports", "NoPorts", func(u *procfs.Udp) *float64 { return u.NoPorts }),
	udpFigure("in_errors", "InErrors", func(u *procfs.Udp) *float64 { return u.InErrors }),
	udpFigure("rcvbuf_errors", "RcvbufErrors", func(u *procfs.Udp) *float64 { return u.RcvbufErrors }),
	udpFigure("sndbuf_errors", "SndbufErrors", func(u *procfs.Udp) *float64 { return u.SndbufErrors }),
	udpFigure("in_csum_errors", "InCsumErrors", func(u *procfs.Udp) *float64 { return u.InCsumErrors }),
}

// udpFigure makes a figure that the line Udp of the one file has, and the line
// Udp6X of the other.
func udpFigure(key, name string, get func(*procfs.Udp) *float64) figure[procfs.Udp] {
	return snmpFigure(counter(key, "/proc/net/snmp Udp: "+name+", /proc/net/snmp6 Udp6"+name, "datagrams"), get)
}

func readUDP(_ context.Context, host kernel.Host) ([]Row, error) {
	proc, err := self(host)
	if err != nil {
		return nil, err
	}
	snmp, err := parse(host, "net/snmp", proc.Snmp)
	snmp6, err6 := parse(host, "net/snmp6", proc.Snmp6) // empty where the kernel has no IPv6
	var rows []Row
	for _, v := range []struct {
		tag string
		udp procfs.Udp
	}{{"4", snmp.Udp}, {"6", procfs.Udp(snmp6.Udp6)}} {
		if values := fieldsOf(udpFigures, &v.udp); len(values) > 0 {
			rows = append(rows, Row{Tags: []string{v.tag}, Fields: values})
		}
	}
	return rows, errors.Join(err, err6)
}

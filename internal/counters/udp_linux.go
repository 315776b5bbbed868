package counters

import (
	"context"
	"errors"

	"github.com/prometheus/procfs"
)

// udp is what UDP did, a row for each IP version.
var udp = &Set{Name: "udp", Tags: []string{"ip_version"}, Fields: fieldsOf(udpFigures), read: readUDP}

// The figure X is Udp: X of the one file, Udp6X of the other.
const snmpUDP = "/proc/net/snmp Udp:, /proc/net/snmp6 Udp6: "

// The figures of IPv6 are those of IPv4 by the same names, so that one table does
// for both.
var udpFigures = []figure[procfs.Udp]{
	{Field{"in_datagrams", snmpUDP + "InDatagrams", "datagrams", true}, func(u *procfs.Udp) *float64 { return u.InDatagrams }},
	{Field{"out_datagrams", snmpUDP + "OutDatagrams", "datagrams", true}, func(u *procfs.Udp) *float64 { return u.OutDatagrams }},
	{Field{"no_ports", snmpUDP + "NoPorts", "datagrams", true}, func(u *procfs.Udp) *float64 { return u.NoPorts }},
	{Field{"in_errors", snmpUDP + "InErrors", "datagrams", true}, func(u *procfs.Udp) *float64 { return u.InErrors }},
	{Field{"rcvbuf_errors", snmpUDP + "RcvbufErrors", "datagrams", true}, func(u *procfs.Udp) *float64 { return u.RcvbufErrors }},
	{Field{"sndbuf_errors", snmpUDP + "SndbufErrors", "datagrams", true}, func(u *procfs.Udp) *float64 { return u.SndbufErrors }},
	{Field{"in_csum_errors", snmpUDP + "InCsumErrors", "datagrams", true}, func(u *procfs.Udp) *float64 { return u.InCsumErrors }},
}

func readUDP(_ context.Context, root string) ([]Row, error) {
	proc, err := self(root)
	if err != nil {
		return nil, err
	}
	var rows []Row
	snmp, err := proc.Snmp()
	if err == nil {
		rows = append(rows, Row{Tags: []string{"4"}, Values: valuesOf(udpFigures, &snmp.Udp)})
	}
	snmp6, err6 := proc.Snmp6()
	if absent(err6) {
		return rows, err // a kernel without IPv6
	}
	if err6 == nil {
		u := procfs.Udp(snmp6.Udp6)
		rows = append(rows, Row{Tags: []string{"6"}, Values: valuesOf(udpFigures, &u)})
	}
	return rows, errors.Join(err, err6)
}

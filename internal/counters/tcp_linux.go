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

// tcp is what TCP did, over both IP versions, which the kernel counts together.
var tcp = &Set{Name: "tcp", Fields: fieldsOf(tcpFigures), read: readTCP}

// tcpFiles have TCP's figures.
type tcpFiles struct {
	snmp     procfs.ProcSnmp
	ext      map[string]int64 // TcpExt of netstat
	sockstat procfs.NetSockstatProtocol
}

const (
	snmpTCP     = "/proc/net/snmp Tcp: "
	netstatTCP  = "/proc/net/netstat TcpExt: "
	sockstatTCP = "/proc/net/sockstat TCP: "
)

var tcpFigures = []figure[tcpFiles]{
	{Field{"active_opens", snmpTCP + "ActiveOpens", "connections", true}, func(f *tcpFiles) *float64 { return f.snmp.ActiveOpens }},
	{Field{"passive_opens", snmpTCP + "PassiveOpens", "connections", true}, func(f *tcpFiles) *float64 { return f.snmp.PassiveOpens }},
	{Field{"attempt_fails", snmpTCP + "AttemptFails", "connections", true}, func(f *tcpFiles) *float64 { return f.snmp.AttemptFails }},
	{Field{"estab_resets", snmpTCP + "EstabResets", "connections", true}, func(f *tcpFiles) *float64 { return f.snmp.EstabResets }},
	{Field{"curr_estab", snmpTCP + "CurrEstab", "connections", false}, func(f *tcpFiles) *float64 { return f.snmp.CurrEstab }},
	{Field{"in_segs", snmpTCP + "InSegs", "segments", true}, func(f *tcpFiles) *float64 { return f.snmp.InSegs }},
	{Field{"out_segs", snmpTCP + "OutSegs", "segments", true}, func(f *tcpFiles) *float64 { return f.snmp.OutSegs }},
	{Field{"retrans_segs", snmpTCP + "RetransSegs", "segments", true}, func(f *tcpFiles) *float64 { return f.snmp.RetransSegs }},
	{Field{"in_errs", snmpTCP + "InErrs", "segments", true}, func(f *tcpFiles) *float64 { return f.snmp.Tcp.InErrs }},
	{Field{"out_rsts", snmpTCP + "OutRsts", "segments", true}, func(f *tcpFiles) *float64 { return f.snmp.OutRsts }},
	{Field{"in_csum_errors", snmpTCP + "InCsumErrors", "segments", true}, func(f *tcpFiles) *float64 { return f.snmp.Tcp.InCsumErrors }},
	tcpExt("listen_overflows", "ListenOverflows", "connections"),
	tcpExt("listen_drops", "ListenDrops", "connections"),
	tcpExt("syncookies_sent", "SyncookiesSent", "segments"),
	tcpExt("syncookies_recv", "SyncookiesRecv", "segments"),
	tcpExt("syncookies_failed", "SyncookiesFailed", "segments"),
	tcpExt("tcp_req_q_full_drop", "TCPReqQFullDrop", "connections"),
	tcpExt("tcp_req_q_full_do_cookies", "TCPReqQFullDoCookies", "connections"),
	tcpExt("tcp_syn_retrans", "TCPSynRetrans", "segments"),
	tcpExt("tcp_timeouts", "TCPTimeouts", "timeouts"),
	tcpExt("tcp_abort_on_memory", "TCPAbortOnMemory", "connections"),
	tcpExt("tcp_time_wait_overflow", "TCPTimeWaitOverflow", "connections"),
	{Field{"orphan", sockstatTCP + "orphan", "sockets", false}, func(f *tcpFiles) *float64 { return optional(f.sockstat.Orphan) }},
	{Field{"tw", sockstatTCP + "tw", "sockets", false}, func(f *tcpFiles) *float64 { return optional(f.sockstat.TW) }},
	{Field{"mem", sockstatTCP + "mem", "pages", false}, func(f *tcpFiles) *float64 { return optional(f.sockstat.Mem) }},
}

// tcpExt makes a figure of the line TcpExt.
func tcpExt(key, name, unit string) figure[tcpFiles] {
	return figure[tcpFiles]{Field{key, netstatTCP + name, unit, true}, func(f *tcpFiles) *float64 {
		n, ok := f.ext[name]
		if !ok {
			return nil
		}
		x := float64(n)
		return &x
	}}
}

func readTCP(_ context.Context, root string) ([]Row, error) {
	proc, err := self(root)
	if err != nil {
		return nil, err
	}
	var f tcpFiles
	var errs [3]error
	f.snmp, errs[0] = proc.Snmp()
	f.ext, errs[1] = readTCPExt(root)
	sockstat, err := readSockstat(root, false)
	if errs[2] = err; err == nil {
		f.sockstat = sockstat["TCP"]
	}
	row := Row{Values: valuesOf(tcpFigures, &f)}
	if len(row.Values) == 0 {
		return nil, errors.Join(errs[:]...)
	}
	return []Row{row}, errors.Join(errs[:]...)
}

// readTCPExt gives what the line TcpExt has, by name. procfs.Netstat leaves out
// TCPAbortOnMemory and others.
func readTCPExt(root string) (map[string]int64, error) {
	path := filepath.Join(root, "net", "netstat")
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	lines := strings.Split(string(text), "\n")
	for i := 0; i+1 < len(lines); i += 2 { // the names, then the values
		names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		if len(names) == 0 || names[0] != "TcpExt:" {
			continue
		}
		if len(names) != len(values) {
			return nil, fmt.Errorf("%s: TcpExt has %d names and %d values", path, len(names), len(values))
		}
		ext := map[string]int64{}
		for k, name := range names[1:] {
			if ext[name], err = strconv.ParseInt(values[k+1], 10, 64); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", path, name, err)
			}
		}
		return ext, nil
	}
	return nil, fmt.Errorf("%s has no TcpExt", path)
}

// readSockstat gives the lines of sockstat, of sockstat6 for ipv6, by protocol.
func readSockstat(root string, ipv6 bool) (map[string]procfs.NetSockstatProtocol, error) {
	fs, err := procfs.NewFS(root)
	if err != nil {
		return nil, err
	}
	read := fs.NetSockstat
	if ipv6 {
		read = fs.NetSockstat6
	}
	stat, err := read()
	if err != nil {
		return nil, fmt.Errorf("read sockstat: %w", err)
	}
	protocols := map[string]procfs.NetSockstatProtocol{}
	for _, p := range stat.Protocols {
		protocols[p.Protocol] = p
	}
	return protocols, nil
}

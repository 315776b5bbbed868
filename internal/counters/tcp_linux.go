package counters

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"

	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/internal/smallfile"
	"github.com/l4stat/l4stat/netstat/metric"
)

// tcp is what TCP did, over both IP versions, which the kernel counts together.
// Orphans and memory are the whole machine's, whatever the namespace: the kernel
// has one account of them.
var tcp = &Set{Name: "tcp", Fields: descsOf(tcpFigures), read: readTCP}

// tcpFiles have TCP's figures.
type tcpFiles struct {
	snmp     procfs.ProcSnmp
	ext      map[string]int64 // TcpExt of netstat
	sockstat procfs.NetSockstatProtocol
}

// Listen overflows and drops, and the drops of request queues, are in segments: a
// client that tries again counts again.
var tcpFigures = []figure[tcpFiles]{
	tcpSNMP("active_opens", "ActiveOpens", "connections", metric.Counter, func(f *tcpFiles) *float64 { return f.snmp.ActiveOpens }),
	tcpSNMP("passive_opens", "PassiveOpens", "connections", metric.Counter, func(f *tcpFiles) *float64 { return f.snmp.PassiveOpens }),
	tcpSNMP("attempt_fails", "AttemptFails", "connections", metric.Counter, func(f *tcpFiles) *float64 { return f.snmp.AttemptFails }),
	tcpSNMP("estab_resets", "EstabResets", "connections", metric.Counter, func(f *tcpFiles) *float64 { return f.snmp.EstabResets }),
	tcpSNMP("curr_estab", "CurrEstab", "connections", metric.Gauge, func(f *tcpFiles) *float64 { return f.snmp.CurrEstab }),
	tcpSNMP("in_segs", "InSegs", "segments", metric.Counter, func(f *tcpFiles) *float64 { return f.snmp.InSegs }),
	tcpSNMP("out_segs", "OutSegs", "segments", metric.Counter, func(f *tcpFiles) *float64 { return f.snmp.OutSegs }),
	tcpSNMP("retrans_segs", "RetransSegs", "segments", metric.Counter, func(f *tcpFiles) *float64 { return f.snmp.RetransSegs }),
	tcpSNMP("in_errs", "InErrs", "segments", metric.Counter, func(f *tcpFiles) *float64 { return f.snmp.Tcp.InErrs }),
	tcpSNMP("out_rsts", "OutRsts", "segments", metric.Counter, func(f *tcpFiles) *float64 { return f.snmp.OutRsts }),
	tcpSNMP("in_csum_errors", "InCsumErrors", "segments", metric.Counter, func(f *tcpFiles) *float64 { return f.snmp.Tcp.InCsumErrors }),
	tcpExt("listen_overflows", "ListenOverflows", "segments"),
	tcpExt("listen_drops", "ListenDrops", "segments"),
	tcpExt("syncookies_sent", "SyncookiesSent", "segments"),
	tcpExt("syncookies_recv", "SyncookiesRecv", "segments"),
	tcpExt("syncookies_failed", "SyncookiesFailed", "segments"),
	tcpExt("tcp_req_q_full_drop", "TCPReqQFullDrop", "segments"),
	tcpExt("tcp_req_q_full_do_cookies", "TCPReqQFullDoCookies", "segments"),
	tcpExt("tcp_syn_retrans", "TCPSynRetrans", "segments"),
	tcpExt("tcp_timeouts", "TCPTimeouts", "timeouts"),
	tcpExt("tcp_abort_on_memory", "TCPAbortOnMemory", "connections"),
	tcpExt("tcp_time_wait_overflow", "TCPTimeWaitOverflow", "connections"),
	tcpSockstat("orphan", "sockets", func(p *procfs.NetSockstatProtocol) *int { return p.Orphan }),
	tcpSockstat("tw", "sockets", func(p *procfs.NetSockstatProtocol) *int { return p.TW }),
	tcpSockstat("mem", "pages", func(p *procfs.NetSockstatProtocol) *int { return p.Mem }),
}

// tcpSNMP makes a figure of the line Tcp of snmp.
func tcpSNMP(key, name, unit string, kind metric.Kind, get func(*tcpFiles) *float64) figure[tcpFiles] {
	return snmpFigure(metric.Desc{Key: key, Source: "/proc/net/snmp Tcp: " + name, Unit: unit, Kind: kind}, get)
}

// tcpExt makes a counter of the line TcpExt of netstat.
func tcpExt(key, name, unit string) figure[tcpFiles] {
	return figure[tcpFiles]{counter(key, "/proc/net/netstat TcpExt: "+name, unit), func(f *tcpFiles) (int64, bool) {
		n, ok := f.ext[name]
		return n, ok
	}}
}

// tcpSockstat makes a gauge of the line TCP of sockstat.
func tcpSockstat(key, unit string, get func(*procfs.NetSockstatProtocol) *int) figure[tcpFiles] {
	return figure[tcpFiles]{gauge(key, "/proc/net/sockstat TCP: "+key, unit), func(f *tcpFiles) (int64, bool) {
		n := get(&f.sockstat)
		if n == nil {
			return 0, false
		}
		return int64(*n), true
	}}
}

// readTCP reads three files, of which one or two may be hidden.
func readTCP(_ context.Context, host kernel.Host) ([]Row, error) {
	proc, err := self(host)
	if err != nil {
		return nil, err
	}
	var f tcpFiles
	var snmpErr, extErr, sockstatErr error
	f.snmp, snmpErr = parse(host, "net/snmp", proc.Snmp)
	f.ext, extErr = readTCPExt(host)
	f.sockstat, sockstatErr = readSockstatTCP(host)

	var errs []error
	var gone Missing
	for _, file := range []struct {
		name string
		err  error
	}{{"net/snmp", snmpErr}, {"net/netstat", extErr}, {"net/sockstat", sockstatErr}} {
		if absent(file.err) {
			gone = append(gone, &missingError{keysOf(descsOf(tcpFigures), file.name), host, selfPath(host, file.name)})
		} else if file.err != nil {
			errs = append(errs, file.err)
		}
	}
	row := Row{Fields: fieldsOf(tcpFigures, &f)}
	if len(row.Fields) == 0 {
		return nil, errors.Join(snmpErr, extErr, sockstatErr)
	}
	return []Row{row}, gone.with(errs...)
}

// maxFile is more than any file has that is read here.
const maxFile = 1 << 20

func readTCPExt(host kernel.Host) (map[string]int64, error) {
	return parse(host, "net/netstat", func() (map[string]int64, error) {
		text, err := smallfile.Read(selfPath(host, "net/netstat"), maxFile)
		if err != nil {
			return nil, err
		}
		return parseTCPExt(string(text))
	})
}

// parseTCPExt gives what the line TcpExt of /proc/net/netstat has, by name.
// procfs.ProcNetstat leaves out TCPAbortOnMemory and others.
func parseTCPExt(text string) (map[string]int64, error) {
	const title = "TcpExt:"
	lines := strings.Split(text, "\n")
	for i := 0; i+1 < len(lines); i += 2 { // the names, then the values
		if !strings.HasPrefix(lines[i], title) {
			continue
		}
		names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		if len(names) != len(values) || values[0] != title {
			return nil, fmt.Errorf("%s has %d names, and then a line of %d values", title, len(names), len(values))
		}
		ext := make(map[string]int64, len(names))
		for k := 1; k < len(names); k++ {
			n, err := strconv.ParseInt(values[k], 10, 64)
			if err != nil {
				return nil, fmt.Errorf("%s %q: %w", title, names[k], err)
			}
			ext[names[k]] = n
		}
		return ext, nil
	}
	return nil, fmt.Errorf("there is no line %s", title)
}

// readSockstatTCP gives the line TCP of sockstat, which is of both IP versions.
func readSockstatTCP(host kernel.Host) (tcp procfs.NetSockstatProtocol, err error) {
	stat, err := NetSockstat(host, false)
	if err != nil {
		return tcp, err
	}
	for _, p := range stat.Protocols {
		if p.Protocol == "TCP" {
			return p, nil
		}
	}
	return tcp, nil
}

package counters

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/windows"

	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/netstat/metric"
)

// tcp is what TCP did, over both IP versions. Windows counts each apart, and
// keeps nothing of what Linux has in /proc/net/netstat.
var tcp = &Set{Name: "tcp", Fields: descsOf(tcpFigures), read: readTCP}

var getTCPStatistics = iphlpapi.NewProc("GetTcpStatisticsEx")

// tcpStats is MIB_TCPSTATS (tcpmib.h). Its counters wrap at 2^32.
type tcpStats struct {
	_                                             [4]uint32 // dwRtoAlgorithm, dwRtoMin, dwRtoMax, dwMaxConn
	activeOpens, passiveOpens, attemptFails       uint32
	estabResets, currEstab                        uint32
	inSegs, outSegs, retransSegs, inErrs, outRsts uint32
	_                                             uint32 // dwNumConns
}

// tcpVersions are the statistics of IPv4 and of IPv6.
type tcpVersions []tcpStats

var tcpFigures = []figure[tcpVersions]{
	tcpFigure("active_opens", "dwActiveOpens", "connections", metric.Counter, func(s *tcpStats) uint32 { return s.activeOpens }),
	tcpFigure("passive_opens", "dwPassiveOpens", "connections", metric.Counter, func(s *tcpStats) uint32 { return s.passiveOpens }),
	tcpFigure("attempt_fails", "dwAttemptFails", "connections", metric.Counter, func(s *tcpStats) uint32 { return s.attemptFails }),
	tcpFigure("estab_resets", "dwEstabResets", "connections", metric.Counter, func(s *tcpStats) uint32 { return s.estabResets }),
	tcpFigure("curr_estab", "dwCurrEstab", "connections", metric.Gauge, func(s *tcpStats) uint32 { return s.currEstab }),
	tcpFigure("in_segs", "dwInSegs", "segments", metric.Counter, func(s *tcpStats) uint32 { return s.inSegs }),
	tcpFigure("out_segs", "dwOutSegs", "segments", metric.Counter, func(s *tcpStats) uint32 { return s.outSegs }),
	tcpFigure("retrans_segs", "dwRetransSegs", "segments", metric.Counter, func(s *tcpStats) uint32 { return s.retransSegs }),
	tcpFigure("in_errs", "dwInErrs", "segments", metric.Counter, func(s *tcpStats) uint32 { return s.inErrs }),
	tcpFigure("out_rsts", "dwOutRsts", "segments", metric.Counter, func(s *tcpStats) uint32 { return s.outRsts }),
}

// tcpFigure makes a figure of a member of MIB_TCPSTATS: its sum over the IP
// versions.
func tcpFigure(key, member, unit string, kind metric.Kind, get func(*tcpStats) uint32) figure[tcpVersions] {
	return alwaysFigure(metric.Desc{Key: key, Source: "GetTcpStatisticsEx " + member, Unit: unit, Kind: kind}, func(all *tcpVersions) (sum uint64) {
		for i := range *all {
			sum += uint64(get(&(*all)[i]))
		}
		return sum
	})
}

// readTCP reads both IP versions. A sum over one of them would look like a
// counter that fell, so it needs both.
func readTCP(context.Context, kernel.Host) ([]Row, error) {
	v4, err4 := readStatistics[tcpStats](getTCPStatistics, windows.AF_INET)
	v6, err6 := readStatistics[tcpStats](getTCPStatistics, windows.AF_INET6)
	if err := errors.Join(err4, err6); err != nil {
		return nil, fmt.Errorf("read the statistics of TCP: %w", err)
	}
	return []Row{{Fields: fieldsOf(tcpFigures, &tcpVersions{v4, v6})}}, nil
}

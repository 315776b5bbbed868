package counters

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/windows"

	"github.com/l4stat/l4stat/internal/kernel"
)

// udp is what UDP did, a row for each IP version.
var udp = &Set{Name: "udp", Tags: []string{"ip_version"}, Fields: descsOf(udpFigures), read: readUDP}

var getUDPStatistics = iphlpapi.NewProc("GetUdpStatisticsEx")

// udpStats is MIB_UDPSTATS (udpmib.h). Its counters wrap at 2^32.
type udpStats struct {
	inDatagrams, noPorts, inErrors, outDatagrams uint32
	_                                            uint32 // dwNumAddrs
}

var udpFigures = []figure[udpStats]{
	udpFigure("in_datagrams", "dwInDatagrams", func(s *udpStats) uint32 { return s.inDatagrams }),
	udpFigure("out_datagrams", "dwOutDatagrams", func(s *udpStats) uint32 { return s.outDatagrams }),
	udpFigure("no_ports", "dwNoPorts", func(s *udpStats) uint32 { return s.noPorts }),
	udpFigure("in_errors", "dwInErrors", func(s *udpStats) uint32 { return s.inErrors }),
}

func udpFigure(key, member string, get func(*udpStats) uint32) figure[udpStats] {
	f := counter(key, "GetUdpStatisticsEx "+member, "datagrams")
	return alwaysFigure(f, func(s *udpStats) uint64 { return uint64(get(s)) })
}

func readUDP(context.Context, kernel.Host) ([]Row, error) {
	var rows []Row
	var errs []error
	for _, v := range []struct {
		tag    string
		family uint32
	}{{"4", windows.AF_INET}, {"6", windows.AF_INET6}} {
		s, err := readStatistics[udpStats](getUDPStatistics, v.family)
		if err != nil {
			errs = append(errs, fmt.Errorf("read the statistics of UDP over IPv%s: %w", v.tag, err))
			continue
		}
		rows = append(rows, Row{Tags: []string{v.tag}, Fields: fieldsOf(udpFigures, &s)})
	}
	return rows, errors.Join(errs...)
}

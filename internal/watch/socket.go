package watch

import (
	"errors"
	"io/fs"
	"runtime"
	"time"

	"github.com/prometheus/procfs"
)

func newSocket() Group {
	const sockstat, both = "/proc/net/sockstat ", "; IPv6 in sockstat6"
	return Group{Name: "socket", About: "sockets that are in use", Blocks: []*Block{
		{Title: "sockets", read: readSockstat, Columns: []Column{
			{Name: "tot", Meaning: "of every kind, Unix sockets included", Source: sockstat + "sockets: used"},
			{Name: "tcp", Meaning: "TCP, without TIME_WAIT and SYN_RECV; dstat has IPv4 only, as in all that follow", Source: sockstat + "TCP: inuse" + both},
			{Name: "udp", Meaning: "UDP", Source: sockstat + "UDP: inuse" + both},
			{Name: "raw", Meaning: "raw", Source: sockstat + "RAW: inuse" + both},
			{Name: "frg", Meaning: "fragments that wait for the rest of their packets", Source: sockstat + "FRAG: inuse" + both},
		}},
	}}
}

func readSockstat(r *reading) ([]float64, time.Time, error) {
	at := time.Now()
	if runtime.GOOS != "linux" {
		return nil, at, errSystem
	}
	all, err := procfs.NewFS(r.root)
	if err != nil {
		return nil, at, err
	}
	four, err := all.NetSockstat()
	if err != nil {
		return nil, at, err
	}
	values := unknowns(5)
	if four.Used != nil {
		values[0] = float64(*four.Used)
	}
	inUse := map[string]int{}
	addInUse(inUse, four)
	six, err := all.NetSockstat6()
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a kernel without IPv6
		return values, at, err
	}
	if six != nil {
		addInUse(inUse, six)
	}
	for i, protocol := range []string{"TCP", "UDP", "RAW", "FRAG"} {
		if n, ok := inUse[protocol]; ok {
			values[1+i] = float64(n)
		}
	}
	return values, at, nil
}

// addInUse adds the sockets of each protocol; those of sockstat6 have a 6 at the
// end of their names.
func addInUse(inUse map[string]int, stat *procfs.NetSockstat) {
	for _, p := range stat.Protocols {
		name := p.Protocol
		if n := len(name); n > 0 && name[n-1] == '6' {
			name = name[:n-1]
		}
		inUse[name] += p.InUse
	}
}

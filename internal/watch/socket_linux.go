package watch

import (
	"errors"
	"io/fs"
	"time"

	"github.com/prometheus/procfs"

	"github.com/l4stat/l4stat/internal/counters"
)

func readSockstat(r *reading) ([]part, time.Time, error) {
	at := time.Now()
	four, err := counters.NetSockstat(r.host, false)
	if err != nil {
		return nil, at, err
	}
	values := unknowns(5)
	if four.Used != nil {
		values[0] = float64(*four.Used)
	}
	inUse := map[string]int{}
	addInUse(inUse, four)
	six, err := counters.NetSockstat(r.host, true)
	if err != nil && !errors.Is(err, fs.ErrNotExist) { // a kernel without IPv6
		return whole(values...), at, err
	}
	if six != nil {
		addInUse(inUse, six)
	}
	for i, protocol := range []string{"TCP", "UDP", "RAW", "FRAG"} {
		if n, ok := inUse[protocol]; ok {
			values[1+i] = float64(n)
		}
	}
	return whole(values...), at, nil
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

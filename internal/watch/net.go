package watch

import (
	"regexp"
	"time"
)

func newNet() Group {
	return Group{Name: "net", About: "bytes per second through the network interfaces", Blocks: []*Block{
		{Title: "net/total", read: readNet, Columns: []Column{
			{Name: "recv", Meaning: "received; without lo, bonds, teams and VLANs, which would count twice", Source: "/proc/net/dev Receive bytes", kind: rate, unit: bytes},
			{Name: "send", Meaning: "sent, by the same interfaces", Source: "/proc/net/dev Transmit bytes", kind: rate, unit: bytes},
		}},
	}}
}

// twice are the interfaces whose bytes are not of the network or go through
// another interface as well.
var twice = regexp.MustCompile(`^(lo|bond\d+|team\d+|.+\.\d+)$`)

func readNet(r *reading) ([]float64, time.Time, error) {
	rows, at, err := r.counters("interface")
	counted := rows[:0:0]
	for _, row := range rows {
		if !twice.MatchString(row.Tags[0]) {
			counted = append(counted, row)
		}
	}
	if err != nil {
		return nil, at, err
	}
	if len(counted) == 0 {
		return []float64{0, 0}, at, nil // lo alone
	}
	return []float64{total(counted, "bytes_recv"), total(counted, "bytes_sent")}, at, nil
}

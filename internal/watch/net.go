package watch

import (
	"regexp"
	"time"
)

func newNet() Group {
	it := &items{
		what:    "network interface",
		title:   func(name string) string { return "net/" + name },
		read:    readNet,
		counted: func(name string) bool { return !twice.MatchString(name) },
		listed:  func(p part) bool { return p.of != "lo" && p.values[0]+p.values[1] > 0 },
	}
	return Group{Name: "net", Short: "n", About: "bytes per second through the network interfaces", items: it, Blocks: []*Block{
		{Title: it.title(Total), read: it.readTotal, Columns: []Column{
			{Name: "recv", Meaning: "received; without lo, bonds, teams and VLANs, which would count twice", Source: "/proc/net/dev Receive bytes", kind: rate, unit: bytes},
			{Name: "send", Meaning: "sent, by the same interfaces", Source: "/proc/net/dev Transmit bytes", kind: rate, unit: bytes},
		}},
	}}
}

// twice are the interfaces whose bytes are not of the network or go through
// another interface as well.
var twice = regexp.MustCompile(`^(lo|bond\d+|team\d+|.+\.\d+)$`)

func readNet(r *reading) ([]part, time.Time, error) {
	rows, at, err := r.counters("interface")
	return partsOf(rows, "bytes_recv", "bytes_sent"), at, err
}

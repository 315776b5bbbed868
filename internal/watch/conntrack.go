package watch

import "time"

func newConntrack() Group {
	read := fromCounters("conntrack", "entries", "max")
	return Group{Name: "conntrack", About: "the table of tracked connections", Blocks: []*Block{
		{Title: "conntrack", added: true, Columns: []Column{
			{Name: "used", Meaning: "connections in the table", Source: "/proc/sys/net/netfilter/nf_conntrack_count"},
			{Name: "max", Meaning: "how many it may hold", Source: "/proc/sys/net/netfilter/nf_conntrack_max"},
		}, read: func(r *reading) ([]part, time.Time, error) {
			parts, at, err := read(r)
			if rows, _, _ := r.counters("conntrack"); err == nil && len(rows) == 0 {
				err = absentError("this kernel does not track connections (nf_conntrack is not loaded)")
			}
			return parts, at, err
		}},
	}}
}

package netstat

import (
	"github.com/l4stat/l4stat/addrports"
	"github.com/l4stat/l4stat/netstat/socket"
)

// tally is what one Gather counts into. It is made once, and cleared for each.
type tally struct {
	host        [numVersions]counts
	sides       []sideTally
	connections *connections // nil: not asked for
}

// sideTally groups sockets by their addresses on one side, local or remote.
type sideTally struct {
	remote bool
	table  *addrports.Table
	rows   []*entryReport // by index in table
}

// entryRows are the rows of one entry: one for each IP version, or those of
// addresses when that is what the entry asks for.
type entryRows struct {
	byVersion [numVersions]row
	byAddress *addressRows // nil: by version
}

type row struct {
	n      counts
	owners candidates
}

func (t *tally) reset() { t.start((*addressRows).reset) }

// recount reports whether there were more addresses than could be counted in one
// pass. Then everything has to be counted again, and the tally is ready for that.
func (t *tally) recount() bool {
	for _, side := range t.sides {
		for _, e := range side.rows {
			if e.byAddress != nil && e.byAddress.crowded {
				t.start((*addressRows).recount)
				return true
			}
		}
	}
	return false
}

// start clears the tally for a pass, for which ready readies rows by address.
func (t *tally) start(ready func(*addressRows)) {
	t.connections.reset()
	t.host = [numVersions]counts{}
	for _, side := range t.sides {
		for _, e := range side.rows {
			e.byVersion = [numVersions]row{}
			if e.byAddress != nil {
				ready(e.byAddress)
			}
		}
	}
}

// count is called for each socket of the host.
func (t *tally) count(s *socket.Socket) {
	v, field := versionOf(s.Local.Addr()), fieldOf(s)
	t.host[v][field]++
	for i := range t.sides {
		side := &t.sides[i]
		ap := s.Local
		if side.remote {
			ap = s.Remote
		}
		index, ok := side.table.Lookup(ap)
		if !ok {
			continue
		}
		e := side.rows[index]
		switch {
		case e.byAddress == nil:
			r := &e.byVersion[v]
			r.n[field]++
			r.owners.offer(s)
		case ap.IsValid():
			e.byAddress.count(s, ap, field)
		default:
			continue // no address to make a row of
		}
		if t.connections != nil {
			t.connections.add(s, v, e)
		}
	}
}

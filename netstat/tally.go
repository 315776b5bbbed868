package netstat

import (
	"net/netip"

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

// entryRows are the rows of one entry: one for each IP version, or one for each
// address and port when that is what the entry asks for.
type entryRows struct {
	byVersion [numVersions]row
	byAddress map[netip.AddrPort]*row // nil: by version
}

type row struct {
	n      counts
	owners candidates
}

func (t *tally) reset() {
	t.connections.reset()
	t.host = [numVersions]counts{}
	for _, side := range t.sides {
		for _, e := range side.rows {
			e.byVersion = [numVersions]row{}
			clear(e.byAddress)
		}
	}
}

// count is called for each socket of the host.
func (t *tally) count(s *socket.Socket) {
	v, field := versionOf(s.Local.Addr()), fieldOf(s)
	t.host[v][field]++
	for i := range t.sides {
		e, r := t.sides[i].row(s, v)
		if r == nil {
			continue
		}
		r.n[field]++
		r.owners.offer(s)
		if t.connections != nil {
			t.connections.add(s, v, e)
		}
	}
}

// row finds the entry and the row that the socket belongs to, or nil.
func (t *sideTally) row(s *socket.Socket, v version) (*entryReport, *row) {
	ap := s.Local
	if t.remote {
		ap = s.Remote
	}
	i, ok := t.table.Lookup(ap)
	if !ok {
		return nil, nil
	}
	e := t.rows[i]
	if e.byAddress == nil {
		return e, &e.byVersion[v]
	}
	if !ap.IsValid() {
		return nil, nil // no address to make a row of
	}
	ap = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
	r := e.byAddress[ap]
	if r == nil {
		r = &row{}
		e.byAddress[ap] = r
	}
	return e, r
}

package netstat

import (
	"net/netip"

	"github.com/l4stat/l4stat/addrports"
	"github.com/l4stat/l4stat/netstat/socket"
)

// tally is what one Gather counts into. It is made once, and cleared for each.
type tally struct {
	host        [numVersions]counts
	matcher     *addrports.Matcher
	entries     []*entryReport // by their numbers in matcher
	connections *connections   // nil: not asked for
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
	for _, e := range t.entries {
		if e.byAddress != nil && e.byAddress.crowded {
			t.start((*addressRows).recount)
			return true
		}
	}
	return false
}

// start clears the tally for a pass, for which ready readies rows by address.
func (t *tally) start(ready func(*addressRows)) {
	t.connections.reset()
	t.host = [numVersions]counts{}
	for _, e := range t.entries {
		e.byVersion = [numVersions]row{}
		if e.byAddress != nil {
			ready(e.byAddress)
		}
	}
}

// count is called for each socket of the host.
func (t *tally) count(s *socket.Socket) {
	v, field := versionOf(s.Local.Addr()), fieldOf(s)
	t.host[v][field]++
	byLocal, byRemote := t.matcher.Match(s.Local, s.Remote)
	if byLocal >= 0 {
		t.countIn(t.entries[byLocal], s, s.Local, v, field)
	}
	if byRemote >= 0 {
		t.countIn(t.entries[byRemote], s, s.Remote, v, field)
	}
}

// countIn counts a socket in the row of an entry, which took it by ap.
func (t *tally) countIn(e *entryReport, s *socket.Socket, ap netip.AddrPort, v version, field int) {
	switch {
	case e.byAddress == nil:
		r := &e.byVersion[v]
		r.n[field]++
		r.owners.offer(s)
	case ap.IsValid():
		e.byAddress.count(s, ap, field)
	default:
		return // no address to make a row of
	}
	if t.connections != nil {
		t.connections.add(s, v, e)
	}
}

package netstat

import (
	"bytes"
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"

	"github.com/l4stat/l4stat/netstat/socket"
)

// DefaultRowLimit bounds the rows by address of an entry of ports_match when the
// configuration does not. Who opens connections to this host chooses their
// addresses and ports, and each row is a series for good.
const DefaultRowLimit = 1000

// maxRowLimit is more than any database takes.
const maxRowLimit = 1_000_000

// otherAddrPort is the tag addr_port of the row that sums up what the limit of
// rows leaves out. No entry and no address is written like that.
const otherAddrPort = "other"

// addressRows count the sockets of an entry by address and port, and pick the
// few that make rows. Their memory is bounded, whatever the addresses are.
//
// What is counted is exact, in the rows and in the sum of the others. As long as
// there are no more addresses than capacity, one pass over the sockets tells
// everything. Beyond, that pass only finds which addresses have many sockets:
// whenever there are too many, half of them go, and the others are worth as many
// sockets less as the largest of those had (Misra and Gries's algorithm, in
// batches). An address that went has at most 2 in capacity of all sockets. A second
// pass then counts those that are left, and others while there is room.
type addressRows struct {
	limit  int
	remote bool         // whose addresses: the peers'
	other  *otherRow    // for what makes no row
	notice *limitNotice // says that the limit was reached

	index    map[addressKey]int32
	rows     []addressRow
	owners   []candidates // of rows with several sockets that may tell
	pid      bool         // owners are asked for
	crowded  bool         // there are more addresses than rows
	counting bool         // the second pass

	order    []int32
	reported []addressKey // the rows of the last Gather
	peak     int          // how many rows there is memory for
	idle     int          // how many Gathers in a row needed far less
}

// addressKey is an address, IPv4-mapped if it is IPv4, and a port.
type addressKey struct {
	addr [16]byte
	zone uint32 // the interface of a link-local address, by its index; else 0
	port uint16
}

func keyOf(ap netip.AddrPort) addressKey {
	k := addressKey{addr: ap.Addr().As16(), port: ap.Port()}
	if zone := ap.Addr().Zone(); zone != "" {
		if index, err := strconv.ParseUint(zone, 10, 32); err == nil { // sources give indices, not names
			k.zone = uint32(index)
		}
	}
	return k
}

func (k addressKey) addrPort() netip.AddrPort {
	addr := netip.AddrFrom16(k.addr).Unmap()
	if k.zone != 0 {
		addr = addr.WithZone(strconv.FormatUint(uint64(k.zone), 10))
	}
	return netip.AddrPortFrom(addr, k.port)
}

// addressRow is what there may be very many of: 96 bytes.
type addressRow struct {
	key      addressKey
	reported bool   // in the last Gather; once the rows are picked, in this one
	rank     rank   // of first
	owners   int32  // one more than the index in addressRows.owners; 0: first does
	taken    uint32 // from the size, by drop
	n        [numFields]uint32
	first    [1]uint64 // the inode of the only socket that may tell the row's owner
}

const (
	// maxAddresses is how many addresses of an entry are counted in one pass,
	// unless its limit of rows is more than a quarter of that. They take some
	// 10 MB, and as much again if each has several sockets of some process.
	maxAddresses = 1 << 16
	// Memory for less than smallAddresses is kept. More is given back once
	// idleGathers in a row used less than a quarter of it.
	smallAddresses = 1 << 10
	idleGathers    = 6
)

// capacity is how many addresses are counted at once.
func (a *addressRows) capacity() int { return max(maxAddresses, 4*a.limit) }

// otherRow sums up the sockets of entries that have no rows of their own, by the
// IP version of their addresses. Entries of which all other tags are the same
// share one, or their rows would take each other's place in a database.
type otherRow struct {
	n    [numVersions]counts
	last *entryReport // the last of those entries
}

// otherRows are those that entries share, by their series.
type otherRows map[string]*otherRow

// share gives r the row of its series.
func (o otherRows) share(r *entryReport) {
	series := r.seriesOfOther()
	if o[series] == nil {
		o[series] = &otherRow{}
	}
	r.byAddress.other = o[series]
	o[series].last = r
}

// newAddressRows makes the rows of entry i of a group.
func newAddressRows(c *Config, g group, i int) *addressRows {
	limit := c.RowLimit
	if limit == 0 {
		limit = DefaultRowLimit
	}
	return &addressRows{
		limit:  limit,
		remote: g.side == RemoteSide,
		pid:    c.PID,
		notice: &limitNotice{warn: c.Warn, about: c.problem(fmt.Sprintf("%s[%d]", g.key, i), g.entries[i].String(), ""), limit: limit},
	}
}

// reset starts a Gather.
func (a *addressRows) reset() {
	a.peak = max(a.peak, len(a.rows))
	if a.idle++; 4*len(a.rows) >= a.peak || a.peak < smallAddresses {
		a.idle = 0
	}
	if a.idle == idleGathers { // a map or a slice never gives back memory
		a.index, a.rows, a.owners, a.order, a.peak, a.idle = nil, nil, nil, nil, 0, 0
	}
	if a.index == nil {
		a.index = map[addressKey]int32{}
	}
	clear(a.index)
	a.rows, a.owners = a.rows[:0], a.owners[:0]
	a.other.n = [numVersions]counts{}
	a.crowded, a.counting = false, false
}

// recount starts the second pass of a Gather. Where there were too many addresses,
// those that are left have their rows before it begins, and those that have series.
func (a *addressRows) recount() {
	left, crowded := slices.Clone(a.rows), a.crowded
	a.reset()
	a.counting = true
	if !crowded {
		return
	}
	a.crowded = true
	for i := range left {
		a.row(left[i].key)
	}
	for _, key := range a.reported {
		a.row(key)
	}
}

// count counts a socket that has ap on the entry's side.
func (a *addressRows) count(s *socket.Socket, ap netip.AddrPort, field int) {
	r := a.row(keyOf(ap))
	if r == nil {
		a.other.n[versionOf(ap.Addr())][field]++
		return
	}
	r.n[field]++
	if a.pid && (s.Inode != 0 || s.PID != 0 || rankOf(s) > rankOther) {
		a.offer(r, s)
	}
}

// offer offers a socket that may tell the row's owner. Most rows have one.
func (a *addressRows) offer(r *addressRow, s *socket.Socket) {
	if r.owners == 0 && r.rank == rankNone && s.Inode != 0 && s.PID == 0 {
		r.rank, r.first[0] = rankOf(s), s.Inode
		return
	}
	if r.owners == 0 {
		c := candidates{rank: r.rank}
		if r.rank != rankNone {
			c.n, c.inodes[0] = 1, r.first[0]
		}
		a.owners = append(a.owners, c)
		r.owners = int32(len(a.owners))
	}
	a.owners[r.owners-1].offer(s)
}

// owner returns whose sockets a row has: inodes of those that may tell, the best
// first, and the process where the source knows it.
func (a *addressRows) owner(r *addressRow) (inodes []uint64, pid int) {
	switch {
	case r.owners != 0:
		c := &a.owners[r.owners-1]
		return c.list(), c.pid
	case r.rank != rankNone:
		return r.first[:], 0
	default:
		return nil, 0
	}
}

// row finds or makes a row; nil when there are too many in the second pass.
func (a *addressRows) row(key addressKey) *addressRow {
	if i, ok := a.index[key]; ok {
		return &a.rows[i]
	}
	if len(a.rows) == a.capacity() {
		a.crowded = true
		if a.counting {
			return nil
		}
		a.drop()
	}
	a.index[key] = int32(len(a.rows))
	a.rows = append(a.rows, addressRow{key: key})
	return &a.rows[len(a.rows)-1]
}

// drop drops at least half of the rows, those with the fewest sockets.
func (a *addressRows) drop() {
	sizes := make([]uint32, len(a.rows))
	for i := range a.rows {
		sizes[i] = a.size(&a.rows[i])
	}
	slices.Sort(sizes)
	median := sizes[len(sizes)/2]
	left := a.rows[:0]
	clear(a.index)
	for _, r := range a.rows {
		if a.size(&r) > median {
			a.index[r.key] = int32(len(left))
			left = append(left, addressRow{key: r.key, n: r.n, taken: r.taken + median})
		}
	}
	a.rows, a.owners = left, a.owners[:0]
}

// pick picks the addresses that make rows and adds the others up. It returns
// their indexes in rows, addresses ascending.
func (a *addressRows) pick() []int32 {
	for _, key := range a.reported {
		if i, ok := a.index[key]; ok {
			a.rows[i].reported = true
		}
	}
	picked := a.best(a.limit)
	for i := range a.rows {
		a.rows[i].reported = false
	}
	a.reported = a.reported[:0]
	slices.SortFunc(picked, func(i, j int32) int { return a.rows[i].key.addrPort().Compare(a.rows[j].key.addrPort()) })
	for _, i := range picked {
		a.rows[i].reported = true
		a.reported = append(a.reported, a.rows[i].key)
	}
	addresses := 0
	for i := range a.rows {
		r := &a.rows[i]
		if a.size(r) > 0 {
			addresses++
		}
		if r.reported {
			continue
		}
		other := &a.other.n[versionOf(r.key.addrPort().Addr())]
		for field, n := range r.n {
			other[field] += int64(n)
		}
	}
	if addresses > a.limit {
		a.notice.give(addresses, a.crowded)
	}
	return picked
}

// best returns the indexes of the limit rows that come first, or of all if they
// are fewer, in no order. Rows of size 0 are none.
func (a *addressRows) best(limit int) []int32 {
	compare := func(i, j int32) int { return a.compare(&a.rows[i], &a.rows[j]) }
	best := a.order[:0]
	sorted := false // best[:limit] is, and full
	for i := range a.rows {
		if a.size(&a.rows[i]) == 0 || sorted && compare(int32(i), best[limit-1]) > 0 {
			continue
		}
		if best = append(best, int32(i)); len(best) == 2*limit {
			slices.SortFunc(best, compare)
			best, sorted = best[:limit], true
		}
	}
	if len(best) > limit {
		slices.SortFunc(best, compare)
	}
	a.order = best
	return best[:min(limit, len(best))]
}

// compare orders rows as they are picked: the largest first; of those, who
// listens; of those, who has a series already; then by address.
func (a *addressRows) compare(r, s *addressRow) int {
	if c := cmp.Compare(a.size(s), a.size(r)); c != 0 {
		return c
	}
	if c := cmp.Compare(min(s.n[tcpListen], 1), min(r.n[tcpListen], 1)); c != 0 {
		return c
	}
	if r.reported != s.reported {
		if r.reported {
			return -1
		}
		return 1
	}
	if c := bytes.Compare(r.key.addr[:], s.key.addr[:]); c != 0 {
		return c
	}
	return cmp.Or(cmp.Compare(r.key.zone, s.key.zone), cmp.Compare(r.key.port, s.key.port))
}

// size is how many sockets speak for a row. Of peers, half-open connections do
// not: anybody can send a SYN in anybody's name.
func (a *addressRows) size(r *addressRow) (n uint32) {
	for _, m := range r.n {
		n += m
	}
	if a.remote {
		n -= r.n[tcpSynRecv]
	}
	return n - r.taken
}

// limitNotice warns, once, that an entry has more addresses than rows.
type limitNotice struct {
	warn  func(string) // nil: nobody listens
	about *ConfigError // names the entry
	limit int
	given bool
}

// give gives the notice of so many addresses, or more.
func (n *limitNotice) give(addresses int, more bool) {
	if n.given || n.warn == nil {
		return
	}
	n.given = true
	number := fmt.Sprint(addresses)
	if more {
		number = "more than " + number
	}
	n.about.Reason = fmt.Sprintf("%s addresses have sockets; the %d with the most have rows, the others are counted together, with addr_port = %q; "+
		"name fewer ports, count them together with an entry of ports, or raise row_limit", number, n.limit, otherAddrPort)
	n.warn(n.about.Error())
}

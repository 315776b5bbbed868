package netstat

import (
	"container/heap"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/HdrHistogram/hdrhistogram-go"

	"github.com/l4stat/l4stat/addrports"
	"github.com/l4stat/l4stat/internal/connstat"
	"github.com/l4stat/l4stat/netstat/socket"
)

// The measurements that Config.Include switches on by connectionInclude: a row for
// each of the connections that had the most sent again, and one for each group.
const (
	connectionInclude     = "connection"
	connectionMeasurement = hostMeasurement + "_connection"
	summaryMeasurement    = hostMeasurement + "_connection_summary"
)

// DefaultConnectionLimit bounds the rows of netstat_connection when the
// configuration does not: a series for each connection would drown a database.
const DefaultConnectionLimit = 100

// maxConnectionLimit is more than any database takes.
const maxConnectionLimit = 1_000_000

// connectionDetails is what is asked of the kernel for each socket. It writes
// several times as much as it does without.
const connectionDetails = socket.WithDetails | socket.WithTCPInfo | socket.WithCongestion

// connectionField is a field of netstat_connection. A counter counts up while the
// connection lasts.
type connectionField struct {
	connstat.Field
	counter bool
}

func counterField(name string) connectionField { return connectionField{mustField(name), true} }
func gaugeField(name string) connectionField   { return connectionField{mustField(name), false} }

// mustField finds a field of conns by a name that stands in this file.
func mustField(name string) connstat.Field {
	f, err := connstat.FieldByName(name)
	if err != nil {
		panic(err)
	}
	return f
}

// The fields that summaries need too.
var (
	inBytes      = counterField("inbytes")
	outBytes     = counterField("outbytes")
	retransBytes = counterField("retransbytes")
	retransSegs  = counterField("retranssegs")
	rtt          = gaugeField("rtt")
)

// connectionFields are the fields of netstat_connection but for its texts.
var connectionFields = []connectionField{
	inBytes, counterField("insegs"), counterField("inunordersegs"),
	outBytes, counterField("outsegs"), retransBytes, retransSegs,
	gaugeField("suna"), gaugeField("unsent"), gaugeField("swnd"), gaugeField("cwnd"), gaugeField("rwnd"), gaugeField("mss"), gaugeField("rto"),
	rtt, gaugeField("minrtt"), gaugeField("rttvar"), gaugeField("deliveryrate"), gaugeField("pacingrate"),
	gaugeField("lost"), gaugeField("reordering"),
	counterField("busytime"), counterField("rwndlimited"), counterField("sndbuflimited"),
	gaugeField("rqueue"), gaugeField("wqueue"), gaugeField("uid"), gaugeField("inode"),
}

// connections are those of one Gather that groups take: a summary for each group,
// and the few that had the most sent again. Their memory does not grow with the
// connections.
type connections struct {
	limit  int
	groups []*connectionGroup
	worst  []*connection // a heap with the one that goes first at its root
	spare  []*connection
	seen   int
	blind  bool // a source that has no details was read
}

// connection is a copy of one that the next socket would overwrite.
type connection struct {
	sock    socket.Socket
	details socket.Details
	version version
	entry   *entryReport
	retrans uint64
	seen    int
}

// connectionGroup is the summary of a group.
type connectionGroup struct {
	tags                             []Tag
	n, in, out, retrans, retransSegs uint64
	rtts                             *hdrhistogram.Histogram // nil: none yet
	rttSum, rttMin, rttMax           uint64
}

// The round-trip times that a histogram tells apart, in microseconds: to two
// digits, up to ten minutes. It takes some 25 KB, which groups without connections
// do not need.
const (
	maxRTT    = 600_000_000
	rttDigits = 2
)

func newConnections(c *Config) *connections {
	if !slices.Contains(c.Include, connectionInclude) {
		return nil
	}
	limit := c.ConnectionLimit
	if limit == 0 {
		limit = DefaultConnectionLimit
	}
	return &connections{limit: limit}
}

// addGroup makes the summary of a group.
func (cs *connections) addGroup(g group, c *Config) *connectionGroup {
	own := map[string]string{tagAddrPort: listOf(g.entries)}
	if g.side == RemoteSide {
		own[tagSide] = RemoteSide
	}
	added := &connectionGroup{tags: mergeTags(own, g.tags, c.Tags)}
	cs.groups = append(cs.groups, added)
	return added
}

// maxEntryList bounds the tag addr_port of a summary, in bytes. InfluxDB refuses a
// series whose tags have 64 KB.
const maxEntryList = 256

// listOf names entries with commas between, as many as fit, and then how many more
// there are. Two groups of a side whose lists are cut to the same text would be one
// series; but the later one never matches the entries named there, which is warned of.
func listOf(entries []addrports.Entry) string {
	var list strings.Builder
	for i, e := range entries {
		if i > 0 && list.Len()+1+len(e.String()) > maxEntryList {
			fmt.Fprintf(&list, ",+%d", len(entries)-i)
			break
		}
		if i > 0 {
			list.WriteByte(',')
		}
		list.WriteString(e.String())
	}
	return list.String()
}

func (cs *connections) reset() {
	if cs == nil {
		return
	}
	for _, g := range cs.groups {
		if g.rtts != nil {
			g.rtts.Reset()
		}
		*g = connectionGroup{tags: g.tags, rtts: g.rtts}
	}
	cs.spare = append(cs.spare, cs.worst...)
	cs.worst, cs.seen, cs.blind = cs.worst[:0], 0, false
}

// add counts a socket that an entry takes. Listeners are no connections, and
// mini-sockets have nothing to tell.
func (cs *connections) add(s *socket.Socket, v version, e *entryReport) {
	if s.Protocol != socket.TCP || s.State == socket.StateListen {
		return
	}
	if s.Details == nil {
		cs.blind = true
		return
	}
	if !s.Details.Info.Known() {
		return
	}
	retrans := numberOf(&retransBytes, s)
	e.summary.add(s, retrans)

	cs.seen++
	if len(cs.worst) == cs.limit {
		if retrans <= cs.worst[0].retrans {
			return
		}
		cs.worst[0].set(s, v, e, retrans, cs.seen)
		heap.Fix((*worstFirstOut)(cs), 0)
		return
	}
	one := &connection{}
	if last := len(cs.spare) - 1; last >= 0 {
		one, cs.spare = cs.spare[last], cs.spare[:last]
	}
	one.set(s, v, e, retrans, cs.seen)
	heap.Push((*worstFirstOut)(cs), one)
}

func (c *connection) set(s *socket.Socket, v version, e *entryReport, retrans uint64, seen int) {
	*c = connection{sock: *s, details: *s.Details, version: v, entry: e, retrans: retrans, seen: seen}
	c.sock.Details = &c.details
}

func (g *connectionGroup) add(s *socket.Socket, retrans uint64) {
	g.n++
	g.retrans += retrans
	g.in += numberOf(&inBytes, s)
	g.out += numberOf(&outBytes, s)
	g.retransSegs += numberOf(&retransSegs, s)
	rtt, ok := rtt.Number(s)
	if !ok {
		return // before the first sample
	}
	if g.rtts == nil {
		g.rtts = hdrhistogram.New(1, maxRTT, rttDigits)
	}
	if g.rtts.TotalCount() == 0 || rtt < g.rttMin {
		g.rttMin = rtt
	}
	g.rttMax = max(g.rttMax, rtt)
	g.rttSum += rtt
	_ = g.rtts.RecordValue(int64(min(rtt, maxRTT))) // which fails beyond maxRTT only
}

// numberOf gives a field, 0 where the kernel does not have it.
func numberOf(f *connectionField, s *socket.Socket) uint64 {
	n, _ := f.Number(s)
	return n
}

// addConnections adds the metrics of connections: the worst first, then a summary
// for each group, in order.
func (r *report) addConnections(cs *connections, all map[string]string) error {
	if cs == nil {
		return nil
	}
	if cs.blind {
		return errors.New("read " + connectionMeasurement + `: only sock_diag tells of it (source "netlink"); leave "connection" out of include, or let this process have sock_diag`)
	}
	worst := slices.Clone(cs.worst)
	slices.SortFunc(worst, func(a, b *connection) int {
		if a.goesBefore(b) {
			return 1
		}
		return -1
	})
	for _, c := range worst {
		r.metrics = append(r.metrics, c.metric(r, all))
	}
	for _, g := range cs.groups {
		r.metrics = append(r.metrics, g.metric(r))
	}
	return nil
}

func (c *connection) metric(r *report, all map[string]string) Metric {
	local, remote := c.sock.Local, c.sock.Remote
	own := map[string]string{
		"laddr": local.Addr().String(), "lport": strconv.Itoa(int(local.Port())),
		"raddr": remote.Addr().String(), "rport": strconv.Itoa(int(remote.Port())),
	}
	entry := map[string]string{}
	for _, t := range c.entry.tags[c.version] {
		entry[t.Key] = t.Value
	}
	if c.entry.byAddress != nil {
		side := local
		if entry[tagSide] == RemoteSide {
			side = remote
		}
		entry[tagAddrPort] = side.String()
	}
	m := Metric{Name: connectionMeasurement, Tags: mergeTags(own, entry, all), Time: r.time}
	m.Fields = append(m.Fields, Field{Key: "state", Value: String(c.sock.State.String())})
	for i := range connectionFields {
		f := &connectionFields[i]
		if n, ok := f.Number(&c.sock); ok {
			m.Fields = append(m.Fields, Field{Key: f.Name, Value: Int(int64(n)), Counter: f.counter})
		}
	}
	if cc := c.details.Congestion.String(); cc != "" {
		m.Fields = append(m.Fields, Field{Key: "cc", Value: String(cc)})
	}
	return m
}

func (g *connectionGroup) metric(r *report) Metric {
	m := Metric{Name: summaryMeasurement, Tags: slices.Clone(g.tags), Time: r.time}
	add := func(key string, n uint64) { m.Fields = append(m.Fields, Field{Key: key, Value: Int(int64(n))}) }
	add("connections", g.n)
	add("inbytes", g.in)
	add("outbytes", g.out)
	add("retransbytes", g.retrans)
	add("retranssegs", g.retransSegs)
	if g.rtts != nil && g.rtts.TotalCount() > 0 {
		n := g.rtts.TotalCount()
		add("rtt_min", g.rttMin)
		m.Fields = append(m.Fields, Field{Key: "rtt_mean", Value: Float(float64(g.rttSum) / float64(n))})
		add("rtt_p50", g.quantile(50))
		add("rtt_p95", g.quantile(95))
		add("rtt_max", g.rttMax)
	}
	return m
}

// quantile is right to the digits of the histogram, and never beyond what there
// was.
func (g *connectionGroup) quantile(percent float64) uint64 {
	return min(max(uint64(g.rtts.ValueAtQuantile(percent)), g.rttMin), g.rttMax)
}

// goesBefore reports whether c has to go before another when there are too many:
// the one that had less sent again, of two with the same the one seen later.
func (c *connection) goesBefore(other *connection) bool {
	if c.retrans != other.retrans {
		return c.retrans < other.retrans
	}
	return c.seen > other.seen
}

// worstFirstOut is connections as a heap of the worst.
type worstFirstOut connections

func (h *worstFirstOut) Len() int           { return len(h.worst) }
func (h *worstFirstOut) Less(i, j int) bool { return h.worst[i].goesBefore(h.worst[j]) }
func (h *worstFirstOut) Swap(i, j int)      { h.worst[i], h.worst[j] = h.worst[j], h.worst[i] }
func (h *worstFirstOut) Push(x any)         { h.worst = append(h.worst, x.(*connection)) }
func (h *worstFirstOut) Pop() any           { panic("nothing is taken out") }

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
	"github.com/l4stat/l4stat/netstat/metric"
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

// connectionField is a number of netstat_connection.
type connectionField struct {
	metric.Desc
	conns connstat.Field // the field of conns that it is
}

func counterField(name, unit string) connectionField {
	return newConnectionField(name, unit, metric.Counter)
}

func gaugeField(name, unit string) connectionField {
	return newConnectionField(name, unit, metric.Gauge)
}

// newConnectionField finds a field of conns by a name that stands in this file.
func newConnectionField(name, unit string, kind metric.Kind) connectionField {
	f, err := connstat.FieldByName(name)
	if err != nil {
		panic(err)
	}
	return connectionField{metric.Desc{Key: name, Source: f.Help, Unit: unit, Kind: kind}, f}
}

// of returns the field of a socket; ok is false if the kernel does not have it.
func (f *connectionField) of(s *socket.Socket) (n uint64, ok bool) { return f.conns.Number(s) }

// The fields that summaries need too.
var (
	inBytes      = counterField("inbytes", "bytes")
	outBytes     = counterField("outbytes", "bytes")
	retransBytes = counterField("retransbytes", "bytes")
	retransSegs  = counterField("retranssegs", "segments")
	rtt          = gaugeField("rtt", "microseconds")
)

// connectionFields are the numbers of netstat_connection, in order.
var connectionFields = []connectionField{
	inBytes, counterField("insegs", "segments"), counterField("inunordersegs", "segments"),
	outBytes, counterField("outsegs", "segments"), retransBytes, retransSegs,
	gaugeField("suna", "bytes"), gaugeField("unsent", "bytes"), gaugeField("swnd", "bytes"), gaugeField("cwnd", "bytes"),
	gaugeField("rwnd", "bytes"), gaugeField("mss", "bytes"), gaugeField("rto", "milliseconds"),
	rtt, gaugeField("minrtt", "microseconds"), gaugeField("rttvar", "microseconds"),
	gaugeField("deliveryrate", "bytes per second"), gaugeField("pacingrate", "bytes per second"),
	gaugeField("lost", "segments"), gaugeField("reordering", "segments"),
	counterField("busytime", "microseconds"), counterField("rwndlimited", "microseconds"), counterField("sndbuflimited", "microseconds"),
	gaugeField("rqueue", "bytes"), gaugeField("wqueue", "bytes"), gaugeField("uid", "user"), gaugeField("inode", "inode"),
}

// The texts of netstat_connection.
var (
	stateDesc      = metric.Desc{Key: "state", Source: "idiag_state", Kind: metric.Text}
	congestionDesc = metric.Desc{Key: "cc", Source: "INET_DIAG_CONG", Kind: metric.Text}
)

// The fields of netstat_connection_summary, over the group's connections. Sums
// fall when a connection ends, so that they are gauges.
var (
	summaryConnections  = metric.Desc{Key: "connections", Source: "sock_diag, counted", Unit: "connections"}
	summaryInBytes      = summed(inBytes)
	summaryOutBytes     = summed(outBytes)
	summaryRetransBytes = summed(retransBytes)
	summaryRetransSegs  = summed(retransSegs)
	summaryMin          = ofRTT("rtt_min", "the least")
	summaryMean         = ofRTT("rtt_mean", "the mean")
	summaryP50          = ofRTT("rtt_p50", "the median")
	summaryP95          = ofRTT("rtt_p95", "the 95th percentile")
	summaryMax          = ofRTT("rtt_max", "the greatest")
)

func summed(f connectionField) metric.Desc {
	return metric.Desc{Key: f.Key, Source: "the sum of " + f.Key, Unit: f.Unit}
}

func ofRTT(key, which string) metric.Desc {
	return metric.Desc{Key: key, Source: which + " of rtt", Unit: rtt.Unit}
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
	tags                             []metric.Tag
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
	rtt, ok := rtt.of(s)
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
	n, _ := f.of(s)
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
		r.metrics = append(r.metrics, c.row(r, all))
	}
	for _, g := range cs.groups {
		r.metrics = append(r.metrics, g.row(r))
	}
	return nil
}

func (c *connection) row(r *report, all map[string]string) metric.Metric {
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
	m := metric.Metric{Name: connectionMeasurement, Tags: mergeTags(own, entry, all), Time: r.time}
	m.Fields = append(m.Fields, metric.Field{Desc: &stateDesc, Value: metric.String(c.sock.State.String())})
	for i := range connectionFields {
		f := &connectionFields[i]
		if n, ok := f.of(&c.sock); ok {
			m.Fields = append(m.Fields, metric.Field{Desc: &f.Desc, Value: metric.Int(int64(n))})
		}
	}
	if cc := c.details.Congestion.String(); cc != "" {
		m.Fields = append(m.Fields, metric.Field{Desc: &congestionDesc, Value: metric.String(cc)})
	}
	return m
}

func (g *connectionGroup) row(r *report) metric.Metric {
	m := metric.Metric{Name: summaryMeasurement, Tags: slices.Clone(g.tags), Time: r.time}
	add := func(d *metric.Desc, n uint64) {
		m.Fields = append(m.Fields, metric.Field{Desc: d, Value: metric.Int(int64(n))})
	}
	add(&summaryConnections, g.n)
	add(&summaryInBytes, g.in)
	add(&summaryOutBytes, g.out)
	add(&summaryRetransBytes, g.retrans)
	add(&summaryRetransSegs, g.retransSegs)
	if g.rtts != nil && g.rtts.TotalCount() > 0 {
		n := g.rtts.TotalCount()
		add(&summaryMin, g.rttMin)
		m.Fields = append(m.Fields, metric.Field{Desc: &summaryMean, Value: metric.Float(float64(g.rttSum) / float64(n))})
		add(&summaryP50, g.quantile(50))
		add(&summaryP95, g.quantile(95))
		add(&summaryMax, g.rttMax)
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

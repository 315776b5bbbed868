package telegraf

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/influxdata/telegraf"
	"github.com/influxdata/telegraf/agent"
	"github.com/influxdata/telegraf/plugins/inputs"

	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/metric"
	"github.com/l4stat/l4stat/netstat/socket"
)

// maker stands in for Telegraf's agent: it keeps errors.
type maker struct{ errs []string }

func (*maker) LogName() string                              { return "inputs.netstat" }
func (*maker) MakeMetric(m telegraf.Metric) telegraf.Metric { return m }
func (m *maker) Log() telegraf.Logger                       { return errorLog{maker: m} }

type errorLog struct {
	telegraf.Logger
	maker *maker
}

func (l errorLog) Errorf(format string, args ...any) {
	l.maker.errs = append(l.maker.errs, fmt.Sprintf(format, args...))
}

// brokenUDP is a kernel whose TCP tables can be read, and whose UDP tables not.
type brokenUDP struct{}

func (brokenUDP) Each(_ context.Context, _ socket.Query, fn func(*socket.Socket) error) error {
	s := socket.Socket{Protocol: socket.TCP, State: socket.StateListen, Local: netip.MustParseAddrPort("10.0.0.1:80")}
	if err := fn(&s); err != nil {
		return err
	}
	return socket.TableErrors{{Table: socket.UDP4, Err: errors.New("refused")}}
}

func (brokenUDP) Close() error { return nil }

// TestGather has what could be read arrive as gauges, and the error for the rest
// through the accumulator.
func TestGather(t *testing.T) {
	collector, err := netstat.New(netstat.Config{Sockets: brokenUDP{}, Groups: []netstat.Group{{Ports: []string{"80"}}}})
	if err != nil {
		t.Fatal(err)
	}
	n := &Netstat{collector: collector}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	defer n.Stop()

	m := &maker{}
	metrics := make(chan telegraf.Metric, 10)
	if err := n.Gather(agent.NewAccumulator(m, metrics)); err != nil {
		t.Errorf("Gather: %v, want the error in the accumulator", err)
	}
	close(metrics)
	if len(m.errs) != 1 || !strings.Contains(m.errs[0], "udp: refused") {
		t.Errorf("the accumulator has the errors %q, want one about udp", m.errs)
	}
	want := map[string]int64{"netstat 4": 1, "netstat 6": 0, "netstat_port 4": 1}
	got := 0
	var at time.Time
	for metric := range metrics {
		got++
		version, _ := metric.GetTag("ip_version")
		listeners, _ := metric.GetField("tcp_listen")
		if name := metric.Name() + " " + version; listeners != want[name] {
			t.Errorf("%s has tcp_listen = %v, want %d", name, listeners, want[name])
		}
		if metric.Type() != telegraf.Gauge || len(metric.FieldList()) != 12 {
			t.Errorf("%s is of type %v and has %d fields, want a gauge with the 12 of TCP", metric.Name(), metric.Type(), len(metric.FieldList()))
		}
		if at.IsZero() {
			at = metric.Time()
		}
		if !metric.Time().Equal(at) {
			t.Errorf("%s has the time %v, the first metric %v", metric.Name(), metric.Time(), at)
		}
	}
	if got != len(want) {
		t.Errorf("%d metrics, want %d", got, len(want))
	}
}

// TestAdd has counters arrive as a counter, and the rest as a gauge, with the tags
// and the time of one metric.
func TestAdd(t *testing.T) {
	at := time.Unix(1795323131, 5)
	tags := []metric.Tag{{Key: "host", Value: "h"}, {Key: "ip_version", Value: "4"}}
	in := []metric.Metric{
		{Name: "netstat", Time: at, Tags: tags, Fields: []metric.Field{{Desc: &metric.Desc{Key: "tcp_listen"}, Value: metric.Int(3)}}},
		{Name: "netstat_udp", Time: at, Tags: tags, Fields: []metric.Field{{Desc: &metric.Desc{Key: "no_ports", Kind: metric.Counter}, Value: metric.Int(1 << 60)}}},
		{Name: "netstat_conntrack", Time: at, Fields: []metric.Field{
			{Desc: &metric.Desc{Key: "entries"}, Value: metric.Int(42)}, {Desc: &metric.Desc{Key: "drop", Kind: metric.Counter}, Value: metric.Int(7)}, {Desc: &metric.Desc{Key: "used_percent"}, Value: metric.Float(26.25)},
		}},
		{Name: "netstat_route", Time: at, Tags: tags, Fields: []metric.Field{{Desc: &metric.Desc{Key: "default_gateway"}, Value: metric.String("none")}}},
	}
	want := []string{
		"netstat map[host:h ip_version:4] map[tcp_listen:3] gauge",
		"netstat_udp map[host:h ip_version:4] map[no_ports:1152921504606846976] counter",
		"netstat_conntrack map[] map[drop:7] counter",
		"netstat_conntrack map[] map[entries:42 used_percent:26.25] gauge",
		"netstat_route map[host:h ip_version:4] map[default_gateway:none] gauge",
	}
	types := map[telegraf.ValueType]string{telegraf.Counter: "counter", telegraf.Gauge: "gauge"}
	metrics := make(chan telegraf.Metric, len(want)+1)
	acc := agent.NewAccumulator(&maker{}, metrics)
	acc.SetPrecision(time.Nanosecond)
	Add(acc, in)
	close(metrics)
	var got []string
	for metric := range metrics {
		got = append(got, fmt.Sprintln(metric.Name(), metric.Tags(), metric.Fields(), types[metric.Type()]))
		if !metric.Time().Equal(at) {
			t.Errorf("%s has the time %v, want %v", metric.Name(), metric.Time(), at)
		}
	}
	if strings.Join(got, "") != strings.Join(want, "\n")+"\n" {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, ""), strings.Join(want, "\n"))
	}
}

// TestRegistered has the input registered with the defaults of sample.conf.
func TestRegistered(t *testing.T) {
	n, ok := inputs.Inputs["netstat"]().(*Netstat)
	if !ok {
		t.Fatalf("inputs.netstat is %T", inputs.Inputs["netstat"]())
	}
	got, want := n.config(), netstat.DefaultConfig()
	if got.IPVersion != want.IPVersion || got.Absent != want.Absent || got.PID != want.PID || got.Source != want.Source ||
		got.ConnectionLimit != want.ConnectionLimit || got.RowLimit != want.RowLimit {
		t.Errorf("the defaults are %+v, want %+v", got, want)
	}
	if !strings.Contains(n.SampleConfig(), "[[inputs.netstat]]") {
		t.Errorf("the sample is %q", n.SampleConfig())
	}
	if err := n.Init(); err != nil {
		t.Errorf("Init: %v", err)
	}
	for key, change := range map[string]func(n *Netstat){ // what Load refuses too
		"connection_limit = ":       func(n *Netstat) { n.ConnectionLimit = math.MaxInt },
		"addr_ports[0].ports[0] = ": func(n *Netstat) { n.Groups = []netstat.Group{{Ports: []string{"x"}, PortsMatch: []string{"*:80"}}} },
		"addr_ports[0].tags.time = ": func(n *Netstat) {
			n.Groups = []netstat.Group{{Ports: []string{"80"}, Tags: map[string]string{"time": "x"}}}
		},
		"addr_ports[0].tags.a = \"\\u202e": func(n *Netstat) {
			n.Groups = []netstat.Group{{Ports: []string{"80"}, Tags: map[string]string{"a": "\u202e"}}}
		},
	} {
		bad, _ := inputs.Inputs["netstat"]().(*Netstat)
		change(bad)
		if err := bad.Init(); err == nil || !strings.HasPrefix(err.Error(), key) {
			t.Errorf("Init: %v, want an error of %s", err, key)
		}
	}
	n.Groups = []netstat.Group{{Ports: []string{"0"}}}
	if err := n.Init(); err == nil || !strings.Contains(err.Error(), `addr_ports[0].ports[0] = "0"`) {
		t.Errorf("Init with port 0: %v", err)
	}
}

package netstat_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"reflect"
	"strings"
	"sync"
	"testing"

	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/metric"
	"github.com/l4stat/l4stat/netstat/socket"
)

// fakeSource has sockets that the test made up.
type fakeSource struct {
	sockets []socket.Socket
	err     error
	closed  bool
}

func (f *fakeSource) Each(ctx context.Context, _ socket.Query, fn func(*socket.Socket) error) error {
	for _, s := range f.sockets {
		if err := fn(&s); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return f.err
}

func (f *fakeSource) Close() error {
	f.closed = true
	return nil
}

// tcp makes a TCP socket; remote may be empty.
func tcp(state socket.State, local, remote string) socket.Socket {
	s := socket.Socket{Protocol: socket.TCP, State: state, Local: netip.MustParseAddrPort(local)}
	if remote != "" {
		s.Remote = netip.MustParseAddrPort(remote)
	}
	return s
}

func udp(local string) socket.Socket {
	return socket.Socket{Protocol: socket.UDP, State: socket.StateClose, Local: netip.MustParseAddrPort(local)}
}

// collect makes one Gather of the sockets.
func collect(t *testing.T, c netstat.Config, sockets ...socket.Socket) []metric.Metric {
	t.Helper()
	c.Sockets = &fakeSource{sockets: sockets}
	col, err := netstat.New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer col.Close()
	return gather(t, col)
}

// row shows a metric on a line: its tags, and its fields but for zeros.
func row(m metric.Metric) string {
	var b strings.Builder
	b.WriteString(m.Name)
	for _, t := range m.Tags {
		fmt.Fprintf(&b, ",%s=%s", t.Key, t.Value)
	}
	for _, f := range m.Fields {
		if f.Value != metric.Int(0) {
			fmt.Fprintf(&b, " %s=%v", f.Key, f.Value)
		}
	}
	return b.String()
}

func checkRows(t *testing.T, metrics []metric.Metric, want ...string) {
	t.Helper()
	var got []string
	for _, m := range metrics {
		got = append(got, row(m))
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

func TestGatherFields(t *testing.T) {
	keys := []string{
		"tcp_established", "tcp_syn_sent", "tcp_syn_recv", "tcp_fin_wait1", "tcp_fin_wait2", "tcp_time_wait", "tcp_close",
		"tcp_close_wait", "tcp_last_ack", "tcp_listen", "tcp_closing", "tcp_none", "udp_socket",
	}
	states := []socket.State{
		socket.StateEstablished, socket.StateSynSent, socket.StateSynRecv, socket.StateFinWait1, socket.StateFinWait2,
		socket.StateTimeWait, socket.StateClose, socket.StateCloseWait, socket.StateLastAck, socket.StateListen,
		socket.StateClosing, socket.StateNone,
	}
	var sockets []socket.Socket
	want := map[string]int64{}
	for i, s := range states {
		for range i + 1 {
			sockets = append(sockets, tcp(s, "10.0.0.1:80", ""))
		}
		want[keys[i]] = int64(i + 1)
	}
	for range 13 {
		sockets = append(sockets, udp("10.0.0.1:80"))
	}
	want["udp_socket"] = 13
	sockets = append(sockets, tcp(99, "10.0.0.1:80", "")) // of no name
	want["tcp_none"]++

	metrics := collect(t, netstat.Config{Groups: []netstat.Group{{Ports: []string{"80"}}}}, sockets...)
	if len(metrics) != 3 {
		t.Fatalf("%d metrics, want netstat twice and netstat_port", len(metrics))
	}
	for _, m := range []metric.Metric{metrics[0], metrics[2]} {
		var got []string
		for _, f := range m.Fields {
			got = append(got, f.Key)
			if n, ok := f.Value.Int(); !ok || n != want[f.Key] {
				t.Errorf("%s: %s = %v, want %d", m.Name, f.Key, f.Value, want[f.Key])
			}
		}
		if !reflect.DeepEqual(got, keys) {
			t.Errorf("%s has the fields %v, want %v", m.Name, got, keys)
		}
		if m.Time.IsZero() || !m.Time.Equal(metrics[0].Time) {
			t.Errorf("%s has the time %v, the first metric %v", m.Name, m.Time, metrics[0].Time)
		}
	}
}

func TestGatherHost(t *testing.T) {
	sockets := []socket.Socket{
		tcp(socket.StateListen, "0.0.0.0:80", ""),
		tcp(socket.StateListen, "[::]:80", ""),
		tcp(socket.StateEstablished, "[::ffff:10.0.0.1]:80", "[::ffff:10.0.0.2]:50000"), // is IPv4
		tcp(socket.StateEstablished, "[2001:db8::1]:80", "[2001:db8::2]:50000"),
		udp("[::1]:53"),
	}
	nowhere := socket.Socket{Protocol: socket.TCP, State: socket.StateClose}

	t.Run("split", func(t *testing.T) {
		checkRows(t, collect(t, netstat.Config{}, sockets...),
			"netstat,ip_version=4 tcp_established=1 tcp_listen=1",
			"netstat,ip_version=6 tcp_established=1 tcp_listen=1 udp_socket=1")
	})
	t.Run("no sockets at all", func(t *testing.T) {
		checkRows(t, collect(t, netstat.Config{}), "netstat,ip_version=4", "netstat,ip_version=6")
	})
	t.Run("unknown", func(t *testing.T) {
		checkRows(t, collect(t, netstat.Config{}, nowhere),
			"netstat,ip_version=4", "netstat,ip_version=6", "netstat,ip_version=unknown tcp_close=1")
	})
	t.Run("sum", func(t *testing.T) {
		c := netstat.Config{IPVersion: netstat.SumIPVersions, Tags: map[string]string{"site": "a"}}
		checkRows(t, collect(t, c, append(sockets, nowhere)...),
			"netstat,site=a tcp_established=2 tcp_close=1 tcp_listen=2 udp_socket=1")
	})
}

func TestGatherGroups(t *testing.T) {
	ports := func(entries ...string) netstat.Group { return netstat.Group{Ports: entries} }
	match := func(entries ...string) netstat.Group { return netstat.Group{PortsMatch: entries} }
	tagged := func(g netstat.Group, side string, tags map[string]string) netstat.Group {
		g.Side, g.Tags = side, tags
		return g
	}
	const est, listen = socket.StateEstablished, socket.StateListen

	tests := []struct {
		name    string
		config  netstat.Config
		sockets []socket.Socket
		want    []string // of netstat_port
	}{
		{
			name:   "the first entry that matches counts, and only that",
			config: netstat.Config{Groups: []netstat.Group{ports("10.0.0.1:443", "80", "443")}},
			sockets: []socket.Socket{
				tcp(est, "10.0.0.1:443", ""), tcp(est, "10.0.0.2:443", ""), tcp(est, "[2001:db8::1]:443", ""), tcp(est, "10.0.0.1:80", ""),
			},
			want: []string{
				"netstat_port,addr_port=10.0.0.1:443,ip_version=4 tcp_established=1",
				"netstat_port,addr_port=80,ip_version=4 tcp_established=1",
				"netstat_port,addr_port=443,ip_version=4 tcp_established=1",
				"netstat_port,addr_port=443,ip_version=6 tcp_established=1",
			},
		},
		{
			name: "groups with the same entry keep their tags",
			config: netstat.Config{Absent: netstat.ZeroAbsent, Groups: []netstat.Group{
				tagged(ports("10.0.0.1:80"), "", map[string]string{"service": "a"}),
				tagged(ports("10.0.0.1:80"), "", map[string]string{"service": "b"}),
				tagged(ports("10.0.0.1:80"), netstat.RemoteSide, map[string]string{"service": "c"}),
			}},
			sockets: []socket.Socket{tcp(est, "10.0.0.1:80", "10.0.0.2:50000"), tcp(est, "10.0.0.2:50000", "10.0.0.1:80")},
			want: []string{
				"netstat_port,addr_port=10.0.0.1:80,ip_version=4,service=a tcp_established=1",
				"netstat_port,addr_port=10.0.0.1:80,ip_version=4,service=b",
				"netstat_port,addr_port=10.0.0.1:80,ip_version=4,service=c,side=remote tcp_established=1",
			},
		},
		{
			name:   "a connection within the host counts once for each side",
			config: netstat.Config{Groups: []netstat.Group{ports("80"), tagged(ports("80"), netstat.RemoteSide, nil)}},
			sockets: []socket.Socket{
				tcp(listen, "127.0.0.1:80", "0.0.0.0:0"), tcp(est, "127.0.0.1:80", "127.0.0.1:50000"), tcp(est, "127.0.0.1:50000", "127.0.0.1:80"),
			},
			want: []string{
				"netstat_port,addr_port=80,ip_version=4 tcp_established=1 tcp_listen=1",
				"netstat_port,addr_port=80,ip_version=4,side=remote tcp_established=1",
			},
		},
		{
			name:   "ranges, networks and addresses as written",
			config: netstat.Config{Groups: []netstat.Group{ports("8000-8010", "10.0.0.0/8:443", "[2001:db8::/32]:443", "::1:80")}},
			sockets: []socket.Socket{
				tcp(est, "10.0.0.1:8000", ""), tcp(est, "10.0.0.1:8010", ""), tcp(est, "10.0.0.1:8011", ""),
				tcp(est, "10.255.0.1:443", ""), tcp(est, "11.0.0.1:443", ""), tcp(est, "[2001:db8:1::]:443", ""),
				tcp(listen, "[::1]:80", ""),
			},
			want: []string{
				"netstat_port,addr_port=8000-8010,ip_version=4 tcp_established=2",
				"netstat_port,addr_port=10.0.0.0/8:443,ip_version=4 tcp_established=1",
				"netstat_port,addr_port=[2001:db8::/32]:443,ip_version=6 tcp_established=1",
				"netstat_port,addr_port=::1:80,ip_version=6 tcp_listen=1",
			},
		},
		{
			name:   "ports_match: a row for each address, in order, instead of ports",
			config: netstat.Config{Groups: []netstat.Group{{Ports: []string{"9"}, PortsMatch: []string{"*:80", "*:443-444"}}}},
			sockets: []socket.Socket{
				tcp(listen, "[::]:80", ""), tcp(est, "[::ffff:10.0.0.2]:80", ""), tcp(est, "10.0.0.2:80", ""), tcp(listen, "0.0.0.0:80", ""),
				tcp(est, "10.0.0.10:80", ""), tcp(est, "[::1]:80", ""), tcp(est, "10.0.0.1:444", ""), tcp(est, "10.0.0.1:443", ""),
				tcp(est, "10.0.0.1:9", ""), udp("10.0.0.1:443"),
			},
			want: []string{
				"netstat_port,addr_port=0.0.0.0:80,ip_version=4 tcp_listen=1",
				"netstat_port,addr_port=10.0.0.2:80,ip_version=4 tcp_established=2",
				"netstat_port,addr_port=10.0.0.10:80,ip_version=4 tcp_established=1",
				"netstat_port,addr_port=[::]:80,ip_version=6 tcp_listen=1",
				"netstat_port,addr_port=[::1]:80,ip_version=6 tcp_established=1",
				"netstat_port,addr_port=10.0.0.1:443,ip_version=4 tcp_established=1 udp_socket=1",
				"netstat_port,addr_port=10.0.0.1:444,ip_version=4 tcp_established=1",
			},
		},
		{
			name:    "ports_match of the peer",
			config:  netstat.Config{Groups: []netstat.Group{tagged(match("*:5432"), netstat.RemoteSide, nil)}},
			sockets: []socket.Socket{tcp(est, "10.0.0.1:50000", "10.0.0.8:5432"), tcp(est, "10.0.0.1:50001", "10.0.0.8:5432"), tcp(est, "10.0.0.1:50002", "10.0.0.9:5432")},
			want: []string{
				"netstat_port,addr_port=10.0.0.8:5432,ip_version=4,side=remote tcp_established=2",
				"netstat_port,addr_port=10.0.0.9:5432,ip_version=4,side=remote tcp_established=1",
			},
		},
		{
			name: "absent entries are left out",
			config: netstat.Config{Groups: []netstat.Group{
				ports("80", "81"), match("*:82"),
			}},
			sockets: []socket.Socket{tcp(est, "10.0.0.1:80", "")},
			want:    []string{"netstat_port,addr_port=80,ip_version=4 tcp_established=1"},
		},
		{
			name: "absent entries are zero, in the versions that they can have",
			config: netstat.Config{Absent: netstat.ZeroAbsent, Groups: []netstat.Group{
				ports("80", "81", "10.0.0.1:82", "[::1]:83"), match("*:84"),
			}},
			sockets: []socket.Socket{tcp(est, "10.0.0.1:80", "")},
			want: []string{
				"netstat_port,addr_port=80,ip_version=4 tcp_established=1",
				"netstat_port,addr_port=81,ip_version=4",
				"netstat_port,addr_port=81,ip_version=6",
				"netstat_port,addr_port=10.0.0.1:82,ip_version=4",
				"netstat_port,addr_port=[::1]:83,ip_version=6",
			},
		},
		{
			name: "the plugin's tags go before the group's, those before the block's",
			config: netstat.Config{
				Tags:   map[string]string{"addr_port": "x", "ip_version": "x", "service": "block", "site": "block"},
				Groups: []netstat.Group{tagged(ports("80"), "", map[string]string{"service": "group"})},
			},
			sockets: []socket.Socket{tcp(est, "10.0.0.1:80", "")},
			want:    []string{"netstat_port,addr_port=80,ip_version=4,service=group,site=block tcp_established=1"},
		},
		{
			name:    "a group may have a tag called side when it is not about the peer",
			config:  netstat.Config{Groups: []netstat.Group{tagged(ports("80"), "local", map[string]string{"side": "left"})}},
			sockets: []socket.Socket{tcp(est, "10.0.0.1:80", "")},
			want:    []string{"netstat_port,addr_port=80,ip_version=4,side=left tcp_established=1"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			metrics := collect(t, tt.config, tt.sockets...)
			checkRows(t, metrics[2:], tt.want...)
		})
	}
}

// TestGatherAgain shows that a Gather starts from nothing, and that metrics are
// the caller's.
func TestGatherAgain(t *testing.T) {
	src := &fakeSource{sockets: []socket.Socket{tcp(socket.StateEstablished, "10.0.0.1:80", ""), tcp(socket.StateEstablished, "10.0.0.1:81", "")}}
	c, err := netstat.New(netstat.Config{Sockets: src, Groups: []netstat.Group{{Ports: []string{"80"}}, {PortsMatch: []string{"*:81"}}}})
	if err != nil {
		t.Fatal(err)
	}
	first := gather(t, c)
	for i := range first {
		for j := range first[i].Tags {
			first[i].Tags[j].Value = "mine"
		}
		first[i].Fields = append(first[i].Fields, metric.Field{Desc: &metric.Desc{Key: "mine"}})
	}
	checkRows(t, gather(t, c),
		"netstat,ip_version=4 tcp_established=2", "netstat,ip_version=6",
		"netstat_port,addr_port=80,ip_version=4 tcp_established=1",
		"netstat_port,addr_port=10.0.0.1:81,ip_version=4 tcp_established=1")
	src.sockets = src.sockets[:1]
	checkRows(t, gather(t, c),
		"netstat,ip_version=4 tcp_established=1", "netstat,ip_version=6",
		"netstat_port,addr_port=80,ip_version=4 tcp_established=1")
	if err := c.Close(); err != nil || !src.closed {
		t.Errorf("Close: %v, the source is closed: %v", err, src.closed)
	}
	if metrics, err := c.Gather(context.Background()); !errors.Is(err, netstat.ErrClosed) || metrics != nil {
		t.Errorf("after Close: %v and error %v, want %v", metrics, err, netstat.ErrClosed)
	}
}

// TestGatherPartly has tables that cannot be read. A count that would be wrong
// is not given: a listener that is missed is no listener that is gone.
func TestGatherPartly(t *testing.T) {
	cause := errors.New("refused")
	failed := func(tables ...socket.Table) error {
		var errs socket.TableErrors
		for _, table := range tables {
			errs = append(errs, socket.TableError{Table: table, Err: cause})
		}
		return errs
	}
	tests := []struct {
		name   string
		err    error
		fields int
	}{
		{"TCP", failed(socket.TCP6), 1},
		{"UDP", failed(socket.UDP4), 12},
		{"UDP twice, wrapped", fmt.Errorf("list: %w", failed(socket.UDP4, socket.UDP6)), 12},
		{"both, wrapped", fmt.Errorf("list: %w", failed(socket.TCP4, socket.UDP6)), 0},
		{"something else", cause, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			src := &fakeSource{err: tt.err, sockets: []socket.Socket{udp("10.0.0.1:53"), tcp(socket.StateListen, "10.0.0.1:53", "")}}
			c, err := netstat.New(netstat.Config{Sockets: src, Groups: []netstat.Group{{Ports: []string{"53"}}}})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			metrics, err := c.Gather(context.Background())
			if !errors.Is(err, cause) {
				t.Errorf("the error is %v, want %v", err, cause)
			}
			if tt.fields == 0 {
				if len(metrics) > 0 {
					t.Errorf("there are metrics: %v", metrics)
				}
				return
			}
			for _, m := range metrics {
				if len(m.Fields) != tt.fields {
					t.Errorf("%s has %d fields, want %d", row(m), len(m.Fields), tt.fields)
				}
			}
			if len(metrics) != 3 {
				t.Errorf("%d metrics, want 3", len(metrics))
			}
		})
	}
}

func TestGatherContext(t *testing.T) {
	c, err := netstat.New(netstat.Config{Sockets: &fakeSource{}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if metrics, err := c.Gather(ctx); !errors.Is(err, context.Canceled) || metrics != nil {
		t.Errorf("got %v and error %v, want nothing and %v", metrics, err, context.Canceled)
	}
	if metrics := gather(t, c); len(metrics) != 2 {
		t.Errorf("afterwards there are %d metrics, want 2", len(metrics))
	}
}

// TestGatherPID has a source that knows owners itself.
func TestGatherPID(t *testing.T) {
	owned := func(s socket.Socket, pid int) socket.Socket {
		s.PID = pid
		return s
	}
	const est, listen = socket.StateEstablished, socket.StateListen
	tests := []struct {
		name    string
		sockets []socket.Socket
		want    string
	}{
		{"the listener's, not a client's", []socket.Socket{
			owned(tcp(est, "10.0.0.1:80", ""), 3), owned(udp("10.0.0.1:80"), 2), owned(tcp(listen, "10.0.0.1:80", ""), 1), owned(tcp(est, "10.0.0.1:80", ""), 4),
		}, " pid=1"},
		{"the UDP socket's", []socket.Socket{owned(tcp(est, "10.0.0.1:80", ""), 3), owned(udp("10.0.0.1:80"), 2)}, " pid=2"},
		{"a connection's", []socket.Socket{tcp(socket.StateTimeWait, "10.0.0.1:80", ""), owned(tcp(est, "10.0.0.1:80", ""), 3)}, " pid=3"},
		{"TIME_WAIT only", []socket.Socket{tcp(socket.StateTimeWait, "10.0.0.1:80", "")}, ""},
		{"a listener of nobody we know", []socket.Socket{owned(tcp(est, "10.0.0.1:80", ""), 3), tcp(listen, "10.0.0.1:80", "")}, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, pid := range []bool{true, false} {
				metrics := collect(t, netstat.Config{PID: pid, Groups: []netstat.Group{{Ports: []string{"80"}}}}, tt.sockets...)
				_, has, _ := strings.Cut(row(metrics[2]), " pid=")
				if want := strings.TrimPrefix(tt.want, " pid="); pid && has != want || !pid && has != "" {
					t.Errorf("with pid = %v, pid is %q, want %q", pid, has, want)
				}
			}
		})
	}
}

func TestGatherAtOnce(t *testing.T) {
	c := newSynthetic(t, 1000, 3)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 20 {
				metrics, err := c.Gather(context.Background())
				if err != nil || len(metrics) != 2+5 {
					t.Errorf("%d metrics, error %v", len(metrics), err)
				}
			}
		})
	}
	wg.Wait()
}

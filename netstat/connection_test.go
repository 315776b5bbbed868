package netstat_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/fakediag"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/metric"
	"github.com/l4stat/l4stat/netstat/socket"
)

// measured is a connection of which the kernel tells this: members of struct
// tcp_info at their offsets.
func measured(local string, peer int, rtt uint32, sent, retrans, received uint64) fakediag.Socket {
	info := make([]byte, 248)
	binary.NativeEndian.PutUint32(info[68:], rtt)                   // tcpi_rtt
	binary.NativeEndian.PutUint32(info[100:], uint32(retrans/1000)) // tcpi_total_retrans
	binary.NativeEndian.PutUint64(info[128:], received)             // tcpi_bytes_received
	binary.NativeEndian.PutUint64(info[200:], sent+retrans)         // tcpi_bytes_sent
	binary.NativeEndian.PutUint64(info[208:], retrans)              // tcpi_bytes_retrans
	return fakediag.Socket{
		Protocol: 6, State: 1, Inode: uint32(peer),
		Local:      netip.MustParseAddrPort(local),
		Remote:     netip.AddrPortFrom(netip.MustParseAddr("192.0.2.1"), uint16(10000+peer)),
		Extensions: map[uint16][]byte{2: info, 4: []byte("cubic\x00")}, // INET_DIAG_INFO, INET_DIAG_CONG
	}
}

// fakeConnections makes n connections to port 80, of which no two have the same
// figures, and some sockets beside them that are none.
func fakeConnections(n int) []fakediag.Socket {
	mini := fakediag.Socket{Protocol: 6, State: 6, Local: netip.MustParseAddrPort("10.0.0.1:80"), Remote: netip.MustParseAddrPort("192.0.2.9:1")}
	listener := measured("10.0.0.1:80", 0, 0, 0, 0, 0)
	listener.State, listener.Remote = 10, netip.MustParseAddrPort("0.0.0.0:0")
	unsampled := measured("10.0.0.1:443", 1, 0, 7, 0, 0)
	sockets := []fakediag.Socket{mini, listener, unsampled, measured("10.0.0.1:9999", 2, 5, 5, 5000, 5)}
	for i := range n {
		k := (i*7919 + 13) % n // in no order
		sockets = append(sockets, measured("10.0.0.1:80", 100+k, uint32(1000+10*k), uint64(k), uint64(1000*k), uint64(3*k)))
	}
	return sockets
}

func newConnectionCollector(tb testing.TB, sockets []fakediag.Socket, limit int) *netstat.Collector {
	tb.Helper()
	kernel := fakediag.New(sockets)
	c, err := netstat.New(netstat.Config{
		Include: []string{"connection"}, ConnectionLimit: limit,
		Tags: map[string]string{"dc": "fra", "rport": "no"},
		Groups: []netstat.Group{
			{PortsMatch: []string{"*:80"}, Tags: map[string]string{"service": "http"}},
			{Ports: []string{"443", "8443"}, Tags: map[string]string{"service": "https"}},
			{Ports: []string{"5432"}, Side: netstat.RemoteSide},
		},
		Sockets: socket.NewNetlink(func() (socket.Conn, error) { return kernel.Dial(), nil }),
	})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { c.Close() })
	return c
}

func byName(metrics []metric.Metric, name string) []metric.Metric {
	return slices.DeleteFunc(metrics, func(m metric.Metric) bool { return m.Name != name })
}

func tagMap(m metric.Metric) map[string]string {
	tags := map[string]string{}
	for _, t := range m.Tags {
		tags[t.Key] = t.Value
	}
	return tags
}

func fieldMap(m metric.Metric) map[string]any {
	fields := map[string]any{}
	for _, f := range m.Fields {
		fields[f.Key] = f.Value.Any()
	}
	return fields
}

func TestConnections(t *testing.T) {
	if !slices.Contains(netstat.Included(), "connection") {
		t.Skip("connections are for Linux")
	}
	const n, limit = 500, 20
	c := newConnectionCollector(t, fakeConnections(n), limit)
	for range 2 { // nothing is left over from one Gather to the next
		rows := byName(gather(t, c), "netstat_connection")
		if len(rows) != limit {
			t.Fatalf("%d rows of connections, want %d", len(rows), limit)
		}
		for i, row := range rows {
			k := n - 1 - i // the most sent again first
			wantTags := map[string]string{
				"addr_port": "10.0.0.1:80", "ip_version": "4", "service": "http", "dc": "fra",
				"laddr": "10.0.0.1", "lport": "80", "raddr": "192.0.2.1", "rport": fmt.Sprint(10100 + k),
			}
			if got := tagMap(row); !maps.Equal(got, wantTags) {
				t.Errorf("row %d has tags %v, want %v", i, got, wantTags)
			}
			got := fieldMap(row)
			for key, want := range map[string]any{
				"state": "ESTABLISHED", "cc": "cubic", "rtt": int64(1000 + 10*k), "retransbytes": int64(1000 * k), "retranssegs": int64(k),
				"outbytes": int64(k), "inbytes": int64(3 * k), "inode": int64(100 + k),
			} {
				if got[key] != want {
					t.Errorf("row %d: %s is %v, want %v", i, key, got[key], want)
				}
			}
			if _, ok := got["rttc"]; ok {
				t.Error("there is a field that Linux does not keep")
			}
			for _, f := range row.Fields {
				counter := f.Kind == metric.Counter
				if want := f.Key == "outbytes" || f.Key == "inbytes" || f.Key == "retransbytes"; want && !counter || counter && f.Key == "rtt" {
					t.Errorf("%s is a %v", f.Key, f.Kind)
				}
			}
		}
	}
}

func TestConnectionSummaries(t *testing.T) {
	if !slices.Contains(netstat.Included(), "connection") {
		t.Skip("connections are for Linux")
	}
	const n = 500
	rows := byName(gather(t, newConnectionCollector(t, fakeConnections(n), 3)), "netstat_connection_summary")
	if len(rows) != 3 {
		t.Fatalf("%d summaries, want one for each of 3 groups", len(rows))
	}
	const sum = int64(n * (n - 1) / 2)
	wants := []struct {
		tags   map[string]string
		fields map[string]any
	}{
		{map[string]string{"addr_port": "*:80", "service": "http", "dc": "fra", "rport": "no"}, map[string]any{
			"connections": int64(n), "outbytes": sum, "inbytes": 3 * sum, "retransbytes": 1000 * sum, "retranssegs": sum,
			"rtt_min": int64(1000), "rtt_max": int64(1000 + 10*(n-1)), "rtt_mean": 1000 + 10*float64(sum)/n,
			"rtt_p50": int64(1000 + 10*n/2), "rtt_p95": int64(1000 + 10*n*95/100),
		}},
		{map[string]string{"addr_port": "443,8443", "service": "https", "dc": "fra", "rport": "no"}, map[string]any{
			"connections": int64(1), "outbytes": int64(7), "inbytes": int64(0), "retransbytes": int64(0), "retranssegs": int64(0),
		}},
		{map[string]string{"addr_port": "5432", "side": "remote", "dc": "fra", "rport": "no"}, map[string]any{
			"connections": int64(0), "outbytes": int64(0), "inbytes": int64(0), "retransbytes": int64(0), "retranssegs": int64(0),
		}},
	}
	for i, want := range wants {
		if got := tagMap(rows[i]); !maps.Equal(got, want.tags) {
			t.Errorf("summary %d has tags %v, want %v", i, got, want.tags)
		}
		got := fieldMap(rows[i])
		for _, key := range []string{"rtt_p50", "rtt_p95"} { // to two digits
			g, _ := got[key].(int64)
			w, _ := want.fields[key].(int64)
			if math.Abs(float64(g-w)) <= 0.01*float64(w) {
				got[key] = want.fields[key]
			}
		}
		for key := range got {
			if got[key] == nil {
				delete(got, key)
			}
		}
		if !maps.Equal(got, want.fields) {
			t.Errorf("summary %d is %v, want %v", i, got, want.fields)
		}
	}
}

// TestConnectionAllocations shows that a connection costs no allocation.
// TestConnectionSummaryTag has a group of more entries than a tag takes: a series
// with tags of 64 KB is refused.
func TestConnectionSummaryTag(t *testing.T) {
	var ports []string
	for i := range 4000 {
		ports = append(ports, fmt.Sprint(10000+i))
	}
	metrics := collect(t, netstat.Config{Include: []string{"connection"}, Groups: []netstat.Group{{Ports: ports}, {Ports: ports[:42], Side: netstat.RemoteSide}}})
	summaries := byName(metrics, "netstat_connection_summary")
	if len(summaries) != 2 {
		t.Fatalf("%d summaries, want 2", len(summaries))
	}
	fit := strings.Join(ports[:42], ",") // 251 bytes
	if got := summaries[0].Tag("addr_port"); got != fit+",+3958" {
		t.Errorf("addr_port is %q, want %q and how many more", got, fit)
	}
	if got := summaries[1].Tag("addr_port"); got != fit {
		t.Errorf("addr_port is %q, want %q", got, fit)
	}
}

func TestConnectionAllocations(t *testing.T) {
	if !slices.Contains(netstat.Included(), "connection") {
		t.Skip("connections are for Linux")
	}
	allocs := func(n int) float64 {
		c := newConnectionCollector(t, fakeConnections(n), 10)
		gather(t, c)
		return testing.AllocsPerRun(5, func() { gather(t, c) })
	}
	// The few that are reported have their numbers written, which may take an allocation or not.
	if small, large := allocs(1000), allocs(20_000); large > small+10 {
		t.Errorf("a Gather of 1,000 connections allocates %v times, one of 20,000 %v times; want the same", small, large)
	}
}

// TestConnectionsBlind has a source that knows no more of connections than that
// they are there.
func TestConnectionsBlind(t *testing.T) {
	if !slices.Contains(netstat.Included(), "connection") {
		t.Skip("connections are for Linux")
	}
	t.Setenv("HOST_PROC", "../testdata/proc")
	c, err := netstat.New(netstat.Config{Source: socket.Procfs, Include: []string{"connection"}, Groups: []netstat.Group{{Ports: []string{"1-65535"}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	metrics, err := c.Gather(context.Background())
	if err == nil || !strings.Contains(err.Error(), "sock_diag") {
		t.Errorf("got error %v, want one that asks for sock_diag", err)
	}
	if len(byName(slices.Clone(metrics), "netstat")) != 2 || len(byName(metrics, "netstat_connection_summary")) != 0 {
		t.Error("want the rows of netstat, and no summary of what is not known")
	}
}

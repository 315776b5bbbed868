package netstat_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/load"
	"github.com/l4stat/l4stat/internal/testhost"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/socket"
)

// TestCountsAtScale has tens of thousands of sockets in many processes counted
// by each source, to the last one, with the owner of each process's listeners.
func TestCountsAtScale(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 30,000 sockets")
	}
	if !testhost.Enter(t) {
		return
	}
	const held, timeWait = 25_000, 5_000
	l, err := load.New(1000)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := l.Hold(t.Context(), held); err != nil {
		t.Fatal(err)
	}
	want := map[string]map[string]int64{"4": {}, "6": {}}
	for kind, n := range l.Counts() {
		version, field := "4", "udp_socket"
		if kind.IPv6 {
			version = "6"
		}
		if kind.Protocol == socket.TCP {
			field = "tcp_" + strings.ToLower(kind.State.String())
		}
		want[version][field] = int64(n)
	}
	listener := load.Listener(load.FirstPort)
	for _, source := range []string{socket.Netlink, socket.Procfs} {
		t.Run(source, func(t *testing.T) {
			c, err := netstat.New(netstat.Config{
				Source: source, PID: true,
				Groups: []netstat.Group{{PortsMatch: []string{"*:8000-8099"}}},
			})
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			if err := l.TimeWait(t.Context(), timeWait); err != nil {
				t.Fatal(err)
			}
			waits, owners := int64(0), map[int64]bool{}
			for _, m := range gather(t, c) {
				fields := map[string]int64{}
				for _, f := range m.Fields {
					if n, _ := f.Value.Int(); n != 0 {
						fields[f.Key] = n
					}
				}
				if m.Name == "netstat_port" {
					owners[fields["pid"]] = true
					if m.Tag("addr_port") == listener.String() && fields["pid"] != int64(l.PIDs()[0]) {
						t.Errorf("%v is process %d's, not %d's", listener, fields["pid"], l.PIDs()[0])
					}
					continue
				}
				waits += fields["tcp_time_wait"]
				delete(fields, "tcp_time_wait")
				if version := m.Tag("ip_version"); !maps.Equal(fields, want[version]) {
					t.Errorf("IPv%s: counted %v, want %v", version, fields, want[version])
				}
			}
			if waits != timeWait {
				t.Errorf("counted %d TIME_WAITs, want %d", waits, timeWait)
			}
			for _, pid := range l.PIDs() {
				if !owners[int64(pid)] {
					t.Errorf("no row has process %d, which listens", pid)
				}
			}
		})
	}
}

// TestConnectionsAtScale has real connections summed up, as a listing of them says.
func TestConnectionsAtScale(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	l, err := load.New(250)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	if err := l.Hold(t.Context(), 1000); err != nil {
		t.Fatal(err)
	}
	c, err := netstat.New(netstat.Config{
		Include: []string{"connection"}, ConnectionLimit: 7,
		Groups: []netstat.Group{{Ports: []string{"8000-8099"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	metrics := gather(t, c)
	rows, summaries := byName(slices.Clone(metrics), "netstat_connection"), byName(metrics, "netstat_connection_summary")
	if len(rows) != 7 || len(summaries) != 1 {
		t.Fatalf("%d rows and %d summaries, want 7 and 1", len(rows), len(summaries))
	}

	src, err := socket.Open(socket.Netlink, socket.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer src.Close()
	var n, least, most int64
	err = src.Each(t.Context(), socket.Query{
		Tables: []socket.Table{socket.TCP4, socket.TCP6}, Details: socket.WithTCPInfo,
		LocalPorts: socket.PortRange{First: 8000, Last: 8099},
	}, func(s *socket.Socket) error {
		if s.State == socket.StateListen {
			return nil
		}
		n++
		if rtt, _ := s.Details.Info.Get(socket.InfoRTT); rtt > 0 {
			most = max(most, int64(rtt))
			if least == 0 || int64(rtt) < least {
				least = int64(rtt)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	got := fieldMap(summaries[0])
	if got["connections"] != n || got["rtt_min"] != least || got["rtt_max"] != most || n == 0 || most == 0 {
		t.Errorf("the summary is %v; the listing has %d connections with round-trip times of %d to %d µs", got, n, least, most)
	}
	for _, row := range rows {
		if f := fieldMap(row); f["rtt"] == nil || f["cc"] == nil || f["cwnd"] == nil {
			t.Errorf("a row has %v only", f)
		}
	}
}

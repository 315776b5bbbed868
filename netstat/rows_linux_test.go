package netstat_test

import (
	"net/netip"
	"testing"

	"github.com/prometheus/procfs"

	"github.com/l4stat/l4stat/internal/load"
	"github.com/l4stat/l4stat/internal/testhost"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/metric"
	"github.com/l4stat/l4stat/netstat/socket"
)

// TestRowsUnderFlood has a flood of SYNs from forged addresses, which is to make no
// row of theirs, beside a connection to an address that has one.
func TestRowsUnderFlood(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	const listeners, each = 4, 3000 // below the backlog, 4,096
	h := testhost.New(t)
	for i := range listeners {
		h.Flood(h.Listen(testhost.IPv4, netip.Addr{}, uint16(80+i)), each)
	}
	h.Connect(testhost.IPv4, 0, 5432, testhost.Established)
	for _, source := range []string{socket.Netlink, socket.Procfs} {
		c, err := netstat.New(netstat.Config{
			Source: source, Groups: []netstat.Group{{PortsMatch: []string{"*:1024-65535"}, Side: netstat.RemoteSide}},
			Warn: func(m string) { t.Errorf("warning: %s", m) },
		})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		checkRows(t, gather(t, c),
			"netstat,ip_version=4 tcp_established=1 tcp_syn_recv=12000 tcp_listen=4", "netstat,ip_version=6",
			"netstat_port,addr_port=10.77.0.2:5432,ip_version=4,side=remote tcp_established=1",
			"netstat_port,addr_port=other,ip_version=4,side=remote tcp_syn_recv=12000")
	}
}

// TestRowsOfTimeWaits has tens of thousands of addresses that have a TIME_WAIT
// each, and every port asked for.
func TestRowsOfTimeWaits(t *testing.T) {
	if testing.Short() {
		t.Skip("makes 40,000 sockets")
	}
	if !testhost.Enter(t) {
		return
	}
	const waits = 40_000
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
	if err := l.TimeWait(t.Context(), waits); err != nil {
		t.Fatal(err)
	}
	newCollector := func(groups ...netstat.Group) *netstat.Collector {
		c, err := netstat.New(netstat.Config{PID: true, Groups: groups})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c
	}
	host := newCollector()
	gather(t, host)
	before := peakMemory(t)
	c := newCollector(netstat.Group{PortsMatch: []string{"*:1-65535"}})
	var metrics []metric.Metric
	for range 5 {
		metrics = gather(t, c)
	}
	perSocket := float64(peakMemory(t)-before) / waits
	t.Logf("%.0f bytes a socket", perSocket)
	if perSocket > 1000 {
		t.Errorf("rows by address took %.0f bytes for each TIME_WAIT, want less than 1,000", perSocket)
	}

	rows, total := 0, map[string]int64{}
	for _, m := range metrics {
		sign := int64(1)
		if m.Name == "netstat_port" {
			rows++
			sign = -1
		}
		for _, f := range m.Fields {
			if n, _ := f.Value.Int(); f.Key != "pid" {
				total[m.Tag("ip_version")+" "+f.Key] += sign * n
			}
		}
	}
	if rows != netstat.DefaultRowLimit+2 {
		t.Errorf("%d rows, want %d and the others of each IP version", rows, netstat.DefaultRowLimit)
	}
	for field, n := range total {
		if n != 0 {
			t.Errorf("IPv%s: the rows lack %d", field, n)
		}
	}
}

// peakMemory returns the most memory that this process had resident, VmHWM.
func peakMemory(t *testing.T) uint64 {
	t.Helper()
	self, err := procfs.Self()
	if err != nil {
		t.Fatal(err)
	}
	status, err := self.NewStatus()
	if err != nil {
		t.Fatal(err)
	}
	return status.VmHWM
}

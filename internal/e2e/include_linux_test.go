package e2e

import (
	"net"
	"os/exec"
	"slices"
	"testing"

	"github.com/l4stat/l4stat/internal/peers"
	"github.com/l4stat/l4stat/internal/testhost"
)

// include has counters that stay as they are while nobody sends. conntrack is the
// machine's to have or not.
const include = `
[[inputs.netstat]]
  interval = "1s"
  include = ["tcp", "udp", "interface", "route"]
  [inputs.netstat.tags]
    some_tag = "some_value"
`

// steady leaves out the figures of the whole machine, which others change.
func steady(rows []row) []row {
	for _, r := range rows {
		delete(r.Fields, "mem")
		delete(r.Fields, "orphan")
	}
	return rows
}

// TestInclude has the kernel's counters arrive from the shim, from Telegraf and
// from l4stat as the library gives them, each measurement one row, though Telegraf
// sends its counters and its gauges apart.
func TestInclude(t *testing.T) {
	influxd, execdTelegraf, native := peers.BuildInfluxd(t), peers.BuildTelegraf(t), peers.BuildNative(t)
	shim, l4stat := peers.Ours(t, "./cmd/telegraf-netstat"), peers.Ours(t, "./cmd/l4stat")
	if !testhost.Enter(t) {
		return
	}
	if out, err := exec.Command("ip", "link", "set", "lo", "up").CombinedOutput(); err != nil {
		testhost.SkipOrFail(t, "needs ip (Debian: iproute2): "+err.Error()+" "+string(out))
	}
	const refused = 3
	for range refused {
		if conn, err := net.Dial("tcp", "127.0.0.1:80"); err == nil {
			conn.Close()
			t.Fatal("somebody listens on port 80")
		}
	}
	want := steady(library(t, include))
	if len(want) != 2+1+2+1+2 {
		t.Fatalf("the test is about other rows than these: %v", want)
	}
	tcp := want[slices.IndexFunc(want, func(r row) bool { return r.Name == "netstat_tcp" })]
	if tcp.Fields["active_opens"] != int64(refused) || tcp.Fields["out_rsts"] != int64(refused) {
		t.Fatalf("netstat_tcp has %v, want %d refused connections", tcp, refused)
	}
	for name, run := range map[string]func(*testing.T, *peers.Influx) [][]row{
		"shim": func(t *testing.T, influx *peers.Influx) [][]row {
			p, got := telegraf(t, influx, execdTelegraf, agent(influx)+execd(shim, file(t, "netstat.conf", include), "none"), 3)
			p.Stop()
			checkLog(t, p)
			return got
		},
		"native": func(t *testing.T, influx *peers.Influx) [][]row {
			p, got := telegraf(t, influx, native, agent(influx)+include, 3)
			p.Stop()
			checkLog(t, p)
			return got
		},
		"l4stat": func(t *testing.T, influx *peers.Influx) [][]row {
			return emitTwice(t, influx, l4stat, "--tag", "some_tag=some_value", "--include", "tcp,udp,interface,route")
		},
	} {
		t.Run(name, func(t *testing.T) {
			influx := peers.StartInflux(t, influxd, peers.Isolated())
			influx.CreateDatabase(database)
			got := run(t, influx)
			for i := range got {
				got[i] = steady(got[i])
			}
			compare(t, got, want)
		})
	}
}

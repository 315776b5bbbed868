package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/peers"
	"github.com/l4stat/l4stat/internal/testhost"
	"github.com/l4stat/l4stat/netstat"
)

const (
	hostName = "test-host"
	database = "telegraf"
)

// fill makes sockets in every state, over each version.
func fill(h *testhost.Host) {
	h.EveryState(testhost.IPv4, 80)
	h.EveryState(testhost.IPv6, 443)
	h.EveryState(testhost.Mapped, 9529)
	h.UDP(testhost.IPv4, netip.Addr{}, 80, false)
	h.Connect(testhost.IPv4, 0, 5432, testhost.Established)
}

// config is read by the shim and, as it is, by Telegraf.
const config = `
[[inputs.netstat]]
  interval = "1s"
  absent = "zero"
  row_limit = 100
  [[inputs.netstat.addr_ports]]
    ports = ["80", "443", "1"]
    [inputs.netstat.addr_ports.tags]
      service = "http"
  [[inputs.netstat.addr_ports]]
    ports_match = ["*:9529"]
  [[inputs.netstat.addr_ports]]
    ports = ["5432"]
    side = "remote"
  [[inputs.netstat.addr_ports]]
    ports_match = ["*:1-65535"]
    side = "remote"
  [inputs.netstat.tags]
    some_tag = "some_value"
    service = "all"
`

// agent is the rest of Telegraf's configuration. It writes over a Unix socket,
// so that neither it nor influxd has a socket that would count.
func agent(influx *peers.Influx) string {
	return fmt.Sprintf(`
[agent]
  interval = "1s"
  flush_interval = "1s"
  hostname = %q
[[outputs.influxdb]]
  urls = ["unix://%s"]
  database = %q
`, hostName, influx.Socket, database)
}

// execd runs the shim.
func execd(shim, config, signal string) string {
	return fmt.Sprintf(`
[[inputs.execd]]
  command = [%q, "--config", %q]
  signal = %q
  data_format = "influx"
`, shim, config, signal)
}

// file writes a file of the test's.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// row is a row of a measurement: all but its time.
type row struct {
	Name   string
	Tags   map[string]string
	Fields map[string]any // int64, float64 or string
}

func (r row) key() string { return r.Name + fmt.Sprint(r.Tags) }

// library gives the rows that the library itself has for the configuration now,
// with the tag that Telegraf adds.
func library(t *testing.T, text string) []row {
	t.Helper()
	configs, err := netstat.Load("netstat.conf", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var rows []row
	for _, c := range configs {
		collector, err := netstat.New(c)
		if err != nil {
			t.Fatal(err)
		}
		defer collector.Close()
		metrics, err := collector.Gather(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range metrics {
			r := row{m.Name, map[string]string{"host": hostName}, map[string]any{}}
			for _, tag := range m.Tags {
				r.Tags[tag.Key] = tag.Value
			}
			for _, f := range m.Fields {
				r.Fields[f.Key] = f.Value.Any()
			}
			rows = append(rows, r)
		}
	}
	sortRows(rows)
	return rows
}

func sortRows(rows []row) {
	slices.SortFunc(rows, func(a, b row) int { return strings.Compare(a.key(), b.key()) })
}

// emitTwice writes what two runs of l4stat emit give, and gives what is in the
// database then.
func emitTwice(t *testing.T, influx *peers.Influx, l4stat string, args ...string) [][]row {
	t.Helper()
	for range 2 {
		out, err := exec.Command(l4stat, append([]string{"emit", "--once", "--host", hostName}, args...)...).Output()
		if err != nil {
			t.Fatal(err)
		}
		influx.Write(database, string(out))
	}
	return gathers(t, influx)
}

// gathers gives what is in the database, by time, oldest first.
func gathers(t *testing.T, influx *peers.Influx) [][]row {
	t.Helper()
	byTime := map[string][]row{}
	for _, s := range influx.Query(database, `SELECT * FROM /^netstat/ GROUP BY *`) {
		for _, values := range s.Values {
			// A tag that a series has not, and others have, is empty.
			r := row{s.Name, maps.Clone(s.Tags), map[string]any{}}
			maps.DeleteFunc(r.Tags, func(_, value string) bool { return value == "" })
			for i, column := range s.Columns[1:] {
				switch v := values[i+1].(type) {
				case nil: // a field of other series of the measurement
				case json.Number:
					r.Fields[column] = number(t, v)
				default:
					r.Fields[column] = v
				}
			}
			at := fmt.Sprint(values[0])
			byTime[at] = append(byTime[at], r)
		}
	}
	var times []string
	for at := range byTime {
		times = append(times, at)
	}
	slices.Sort(times) // all of one length
	var all [][]row
	for _, at := range times {
		sortRows(byTime[at])
		all = append(all, byTime[at])
	}
	return all
}

// number gives an integer as such; the database writes a float that is whole as
// an integer.
func number(t *testing.T, text json.Number) any {
	t.Helper()
	if n, err := text.Int64(); err == nil {
		return n
	}
	x, err := text.Float64()
	if err != nil {
		t.Fatal(err)
	}
	return x
}

// telegraf starts Telegraf with the configuration and waits until the database
// has so many gathers that are complete.
func telegraf(t *testing.T, influx *peers.Influx, program, config string, n int) (*peers.Process, [][]row) {
	t.Helper()
	p := peers.Start(t, exec.Command(program, "--config", file(t, "telegraf.conf", config)))
	var all [][]row
	peers.Until(t, fmt.Sprintf("%d gathers are in the database", n), func() bool {
		if !p.Running() {
			t.Fatalf("Telegraf has ended:\n%s", p.Log())
		}
		all = gathers(t, influx)
		return len(all) > n // the last may not be complete
	})
	return p, all[:len(all)-1]
}

func compare(t *testing.T, got [][]row, want []row) {
	t.Helper()
	for _, rows := range got {
		if len(rows) != len(want) {
			t.Fatalf("%d rows in a gather, want %d:\n%v\nwant\n%v", len(rows), len(want), rows, want)
		}
		for i := range rows {
			if !reflect.DeepEqual(rows[i], want[i]) {
				t.Errorf("got  %v\nwant %v", rows[i], want[i])
			}
		}
	}
}

// checkLog checks that Telegraf had nothing to complain of but its own defaults.
func checkLog(t *testing.T, p *peers.Process) {
	t.Helper()
	for _, line := range peers.TelegrafComplaints(p.Log()) {
		t.Errorf("Telegraf's log: %s", line)
	}
}

// Telegraf runs the shim: by its own interval, by lines on standard input, and by
// signals. Each has sockets of its own, for those in TIME_WAIT last a minute.
func TestExecd(t *testing.T)       { testExecd(t, "none") }
func TestExecdStdin(t *testing.T)  { testExecd(t, "STDIN") }
func TestExecdUSR1(t *testing.T)   { testExecd(t, "SIGUSR1") }
func TestExecdHangup(t *testing.T) { testExecd(t, "SIGHUP") }

func testExecd(t *testing.T, signal string) {
	influxd, program, shim := peers.BuildInfluxd(t), peers.BuildTelegraf(t), peers.Ours(t, "./cmd/telegraf-netstat")
	if !testhost.Enter(t) {
		return
	}
	influx := peers.StartInflux(t, influxd, peers.Isolated())
	influx.CreateDatabase(database)
	fill(testhost.New(t))
	want := library(t, config)
	// The last are ten connections in each of three sets, and the two rows of those
	// in SYN_RECV.
	if len(want) != 2+1+1+2+2+1+3*10+2 {
		t.Fatalf("the test is about other rows than these: %v", want)
	}
	p, got := telegraf(t, influx, program, agent(influx)+execd(shim, file(t, "netstat.conf", config), signal), 3)
	compare(t, got, want)
	p.Stop()
	checkLog(t, p)
}

// TestNative has Telegraf with the input compiled in.
func TestNative(t *testing.T) {
	influxd, program := peers.BuildInfluxd(t), peers.BuildNative(t)
	if !testhost.Enter(t) {
		return
	}
	influx := peers.StartInflux(t, influxd, peers.Isolated())
	influx.CreateDatabase(database)
	fill(testhost.New(t)) // last: a TIME_WAIT lasts a minute
	want := library(t, config)
	p, got := telegraf(t, influx, program, agent(influx)+config, 3)
	compare(t, got, want)
	p.Stop()
	checkLog(t, p)

	for name, tt := range map[string]struct{ config, key string }{
		"unknown key":       {strings.Replace(config, "absent", "absnt", 1), "absnt"},
		"impossible entry":  {strings.Replace(config, `"443"`, `"65536"`, 1), `addr_ports[0].ports[1] = "65536"`},
		"impossible choice": {strings.Replace(config, `"zero"`, `"nil"`, 1), `absent = "nil"`},
	} {
		t.Run(name, func(t *testing.T) {
			p := peers.Start(t, exec.Command(program, "--config", file(t, "telegraf.conf", agent(influx)+tt.config)))
			if err := p.Wait(); err == nil {
				t.Error("Telegraf ended without an error")
			}
			if !strings.Contains(p.Log(), tt.key) {
				t.Errorf("the log does not name %s:\n%s", tt.key, p.Log())
			}
		})
	}
}

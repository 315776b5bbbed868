package deploy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/l4stat/l4stat/internal/peers"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/emit"
	"github.com/l4stat/l4stat/netstat/socket"
)

// fixed is a source of the same sockets each time.
type fixed []socket.Socket

func (f fixed) Each(_ context.Context, _ socket.Query, fn func(*socket.Socket) error) error {
	for _, s := range f {
		if err := fn(&s); err != nil {
			return err
		}
	}
	return nil
}

func (fixed) Close() error { return nil }

// sockets are some of every kind that the dashboard shows.
func sockets() fixed {
	var all fixed
	add := func(p socket.Protocol, s socket.State, local, remote string) {
		all = append(all, socket.Socket{
			Protocol: p, State: s, Local: netip.MustParseAddrPort(local), Remote: netip.MustParseAddrPort(remote),
			PID: 100 + len(all), // a listener's is its row's
		})
	}
	for s := socket.StateEstablished; s <= socket.StateClosing; s++ {
		if s != socket.StateListen {
			add(socket.TCP, s, "10.0.0.1:80", "10.0.0.9:50000")
			add(socket.TCP, s, "[2001:db8::1]:443", "[2001:db8::9]:50000")
			add(socket.TCP, s, "10.0.0.1:8080", "10.0.0.9:50000")
			add(socket.TCP, s, "10.0.0.1:7000", "10.0.0.9:50000")
			add(socket.TCP, s, "10.0.0.1:40000", "10.0.0.5:3306")
		}
	}
	add(socket.TCP, socket.StateNone, "10.0.0.1:80", "10.0.0.9:50001")
	add(socket.TCP, socket.StateListen, "0.0.0.0:80", "0.0.0.0:0")
	add(socket.TCP, socket.StateListen, "[2001:db8::1]:443", "[::]:0")
	add(socket.TCP, socket.StateListen, "[::1]:8080", "[::]:0")
	add(socket.TCP, socket.StateEstablished, "10.0.0.2:8080", "10.0.0.9:50000") // beyond the limit of rows
	add(socket.UDP, socket.StateClose, "10.0.0.1:53", "0.0.0.0:0")
	return all
}

// Among the entries are such as have letters that regular expressions and
// queries take for something else.
const config = `
[[inputs.netstat]]
  absent = "zero"
  row_limit = 2

  [[inputs.netstat.addr_ports]]
    ports = ["80", "10.0.0.0/8:53", "[2001:db8::/32]:443", "7000", "9999", "10.0.0.1:9999"]
    [inputs.netstat.addr_ports.tags]
      service = "web/1.0"

  [[inputs.netstat.addr_ports]]
    ports_match = ["*:8080"]

  [[inputs.netstat.addr_ports]]
    ports = ["3306"]
    side = "remote"
`

// fill writes rows of two hosts, one for each of so many minutes until end.
func fill(t *testing.T, influx *peers.Influx, db string, minutes int, end time.Time) {
	t.Helper()
	configs, err := netstat.Load("netstat.conf", []byte(config))
	if err != nil {
		t.Fatal(err)
	}
	configs[0].Sockets = sockets()
	collector, err := netstat.New(configs[0])
	if err != nil {
		t.Fatal(err)
	}
	defer collector.Close()
	var lines []byte
	for _, host := range []string{"web-1.example", "web-2.example"} {
		enc, err := emit.NewEncoder(emit.Nanosecond, map[string]string{"host": host})
		if err != nil {
			t.Fatal(err)
		}
		for m := range minutes {
			metrics, err := collector.Gather(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			for i := range metrics {
				metrics[i].Time = end.Add(time.Duration(m+1-minutes) * time.Minute)
			}
			if lines, err = enc.Append(lines, metrics); err != nil {
				t.Fatal(err)
			}
		}
	}
	resp, err := http.Post(influx.URL+"/write?db="+db, "", strings.NewReader(string(lines)))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		body, _ := io.ReadAll(resp.Body)
		t.Fatalf("write: %s: %s", resp.Status, body)
	}
}

// view is what a dashboard is asked to show: a time range, and of its variables
// the values, no values being all of them.
type view struct {
	from, to time.Time
	values   map[string][]string
}

var (
	dollar  = regexp.MustCompile(`\$(?:\{(\w+)(?::(\w+))?\}|(\w+))`)
	special = regexp.MustCompile(`[\\^$*+?.()|[\]{}/]`) // as escapeRegex of Grafana has it
)

// query replaces the macros and variables of a query, as Grafana does.
func (v *view) query(t *testing.T, text string, all map[string]string) string {
	t.Helper()
	return dollar.ReplaceAllStringFunc(text, func(ref string) string {
		m := dollar.FindStringSubmatch(ref)
		name, format := m[1]+m[3], m[2]
		switch name {
		case "timeFilter":
			return fmt.Sprintf("time >= %dms and time <= %dms", v.from.UnixMilli(), v.to.UnixMilli())
		case "__interval":
			return "1m"
		case "__to":
			return strconv.FormatInt(v.to.UnixMilli(), 10)
		}
		allValue, ok := all[name]
		if !ok {
			t.Fatalf("there is no variable %s in %s", ref, text)
		}
		values := v.values[name]
		switch {
		case len(values) == 0:
			return allValue
		case format == "raw" && len(values) == 1:
			return values[0]
		case format != "regex":
			// Without a format, what becomes of special characters depends on
			// Grafana's version.
			t.Fatalf("the format of %s in %s", ref, text)
		}
		escaped := make([]string, len(values))
		for i, value := range values {
			escaped[i] = special.ReplaceAllString(value, `\$0`)
		}
		if len(escaped) == 1 {
			return escaped[0]
		}
		return "(" + strings.Join(escaped, "|") + ")"
	})
}

// TestDashboardQueries runs every query of the dashboard against a real InfluxDB
// with rows of the real library. Each must return data: one that names a field or
// a tag that the library does not write would return none.
func TestDashboardQueries(t *testing.T) {
	t.Parallel()
	d := loadDashboard(t)
	influx := peers.StartInflux(t, peers.BuildInfluxd(t))
	const db = "l4stat"
	influx.CreateDatabase(db)
	end := time.Now()
	fill(t, influx, db, 10, end)

	// run has each value of each column there at least once: of a field that is
	// not, there is nothing but nulls, and of a tag that is not, "".
	run := func(t *testing.T, title, query string, optional ...string) []peers.Series {
		t.Helper()
		series := influx.Query(db, query)
		if len(series) == 0 {
			t.Errorf("%s: no data from %s", title, query)
		}
		seen := map[string]bool{}
		for _, s := range series {
			for tag, value := range s.Tags {
				seen[tag] = seen[tag] || value != ""
			}
			for i, column := range s.Columns {
				for _, row := range s.Values {
					seen[column] = seen[column] || row[i] != nil && row[i] != ""
				}
			}
		}
		for name, there := range seen {
			if !there && !slices.Contains(optional, name) {
				t.Errorf("%s: nothing in %q from %s", title, name, query)
			}
		}
		return series
	}

	shown := view{from: end.Add(-time.Hour), to: end.Add(time.Second), values: map[string][]string{}}
	all := map[string]string{}
	values := map[string][]string{}
	for _, v := range d.Templating.List {
		if v.Type != "query" {
			continue
		}
		found := map[string]bool{}
		for _, s := range run(t, v.Name, shown.query(t, v.Query, all)) {
			for _, row := range s.Values { // key, value
				found[fmt.Sprint(row[1])] = true
			}
		}
		for value := range found {
			values[v.Name] = append(values[v.Name], value)
		}
		slices.Sort(values[v.Name])
		all[v.Name] = v.AllValue
	}
	want := map[string][]string{
		"host":       {"web-1.example", "web-2.example"},
		"ip_version": {"4", "6"},
		"service":    {"web/1.0"},
		"addr_port":  {"10.0.0.0/8:53", "10.0.0.1:8080", "10.0.0.1:9999", "3306", "7000", "80", "9999", "[2001:db8::/32]:443", "[::1]:8080", "other"},
	}
	for name, list := range want {
		if !slices.Equal(values[name], list) {
			t.Errorf("the variable %s has the values %q, want %q", name, values[name], list)
		}
	}

	repeated := ""
	for _, p := range d.Panels {
		if p.Type == "row" {
			repeated = p.Repeat
			continue
		}
		for _, q := range p.Targets {
			if repeated != "" {
				for _, value := range values[repeated] {
					one := shown
					one.values = map[string][]string{repeated: {value}, "host": values["host"], "ip_version": values["ip_version"]}
					if value == "80" {
						one.values["service"] = values["service"]
					}
					// Not every entry has these.
					run(t, p.Title, one.query(t, q.Query, all), "side", "service")
				}
				continue
			}
			everything := run(t, p.Title, shown.query(t, q.Query, all))
			// All values chosen one by one, and one of each.
			chosen := shown
			chosen.values = map[string][]string{"host": values["host"], "ip_version": values["ip_version"], "addr_port": values["addr_port"]}
			if got := run(t, p.Title, chosen.query(t, q.Query, all)); fmt.Sprint(got) != fmt.Sprint(everything) {
				t.Errorf("%s: with all values chosen there are\n%v\nwith All\n%v", p.Title, got, everything)
			}
			one := shown
			one.values = map[string][]string{"host": {"web-1.example"}, "ip_version": {"4"}, "service": {"web/1.0"}, "addr_port": {"9999", "80"}}
			run(t, p.Title, one.query(t, q.Query, all), "side")
		}
	}

	// What two of them say, beyond that there is something.
	result := func(title, kind string) []peers.Series {
		t.Helper()
		for _, p := range d.Panels {
			if p.Title == title && p.Type == kind {
				return influx.Query(db, shown.query(t, p.Targets[0].Query, all))
			}
		}
		t.Fatalf("there is no %s %q", kind, title)
		return nil
	}
	var down []string
	for _, s := range result("Listeners down", "table") {
		down = append(down, s.Tags["host"]+" "+s.Tags["addr_port"])
	}
	// Nobody listens on 7000, which has connections; those to 10.0.0.1:8080, and
	// the others, may be of a listener on 0.0.0.0.
	var wantDown []string
	for _, host := range values["host"] {
		for _, entry := range []string{"10.0.0.1:9999", "7000", "9999"} {
			wantDown = append(wantDown, host+" "+entry)
		}
	}
	slices.Sort(down)
	if !slices.Equal(down, wantDown) {
		t.Errorf("listeners down are %q, want %q", down, wantDown)
	}
	if got := fmt.Sprint(result("Listeners down", "stat")[0].Values[0][1]); got != strconv.Itoa(len(wantDown)) {
		t.Errorf("%s listeners are down, want %d", got, len(wantDown))
	}
	// Two hosts, each with 5 connections in that state.
	if got := fmt.Sprint(result("TIME_WAIT", "stat")[0].Values[0][1]); got != "10" {
		t.Errorf("TIME_WAIT is %s, want 10", got)
	}
}

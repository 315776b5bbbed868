package netstat_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/counters"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/metric"
	"github.com/l4stat/l4stat/netstat/socket"
)

// everything includes all sets, named in no order and one of them twice.
func everything() []string {
	names := netstat.Included()
	slices.Reverse(names)
	return append(names, names[0])
}

// TestGatherInclude has the rows of all sets after those of sockets, in the order
// of the sets, with the time and the tags of the Gather.
func TestGatherInclude(t *testing.T) {
	c := netstat.Config{
		Include: everything(),
		Groups:  []netstat.Group{{Ports: []string{"80"}, Tags: map[string]string{"service": "http"}}},
		Tags:    map[string]string{"site": "fra", "interface": "overridden", "ip_version": "overridden"},
	}
	metrics := collect(t, c, tcp(socket.StateListen, "10.0.0.1:80", ""))

	var names []string
	for _, m := range metrics {
		names = append(names, m.Name)
		if m.Time.IsZero() || !m.Time.Equal(metrics[0].Time) {
			t.Errorf("%s has the time %v, the first metric %v", m.Name, m.Time, metrics[0].Time)
		}
		if m.Tag("site") != "fra" {
			t.Errorf("%s has the tags %v, want those of the block too", m.Name, m.Tags)
		}
		set := counters.Find(strings.TrimPrefix(m.Name, "netstat_"))
		if set == nil {
			continue
		}
		if m.Tag("service") != "" {
			t.Errorf("%s has a group's tags: %v", m.Name, m.Tags)
		}
		if !slices.IsSortedFunc(m.Tags, func(a, b metric.Tag) int { return strings.Compare(a.Key, b.Key) }) {
			t.Errorf("%s has the tags %v, want them in order", m.Name, m.Tags)
		}
		for _, key := range set.Tags {
			if m.Tag(key) == "overridden" {
				t.Errorf("%s has the block's tag %s, want its own", m.Name, key)
			}
		}
		for _, f := range m.Fields {
			if !slices.Contains(set.Fields, f.Desc) {
				t.Errorf("%s has the field %+v, which the set does not have so", m.Name, f)
			}
		}
	}
	want := []string{"netstat", "netstat", "netstat_port"}
	for _, name := range netstat.Included() {
		if name == "connection" { // of which there is none, but for the group's summary
			name = "connection_summary"
		}
		if slices.Contains(names, "netstat_"+name) { // a machine may have no conntrack
			want = append(want, "netstat_"+name)
		} else if name != "conntrack" {
			t.Errorf("there is no netstat_%s", name)
		}
	}
	if got := slices.Compact(names[2:]); !slices.Equal(append([]string{"netstat", "netstat"}, got...), want) {
		t.Errorf("the measurements are %v, want %v", names, want)
	}
}

// TestGatherIncludePartly has a procfs without what some sets need. Their errors
// do not lose other rows, nor do those of sockets.
func TestGatherIncludePartly(t *testing.T) {
	root := t.TempDir()
	t.Setenv("HOST_PROC", root)
	src := &fakeSource{sockets: []socket.Socket{tcp(socket.StateListen, "10.0.0.1:80", "")}}
	c, err := netstat.New(netstat.Config{Include: everything(), Sockets: src})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	measurements := func(metrics []metric.Metric) string {
		var names []string
		for _, m := range metrics {
			names = append(names, m.Name)
		}
		return strings.Join(slices.Compact(names), " ")
	}

	metrics, err := c.Gather(context.Background())
	if got := measurements(metrics); got != "netstat netstat_route" {
		t.Errorf("there are %s, want netstat netstat_route", got)
	}
	for _, want := range []string{"read netstat_tcp: ", "read netstat_udp: ", "read netstat_interface: ", root} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error does not have %q: %v", want, err)
		}
	}

	// The counters are there, the sockets not.
	for link, target := range map[string]string{"self": "1", "net": "self/net"} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(root, os.DirFS("../internal/counters/testdata/proc")); err != nil {
		t.Fatal(err)
	}
	src.err = errors.New("refused")
	metrics, err = c.Gather(context.Background())
	const all = "netstat_tcp netstat_udp netstat_conntrack netstat_interface netstat_route"
	if got := measurements(metrics); got != all || !errors.Is(err, src.err) {
		t.Errorf("there are %s and the error %v, want %s and %v", got, err, all, src.err)
	}

	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if metrics, err := c.Gather(ctx); !errors.Is(err, context.Canceled) || metrics != nil {
		t.Errorf("got %v and the error %v after the context ended", metrics, err)
	}
}

// TestGatherIncludeHidden has a procfs that does not show a file: the rest is
// there without an error, and Warn is told once what is missing. With nobody to
// tell, it is an error.
func TestGatherIncludeHidden(t *testing.T) {
	root := t.TempDir()
	t.Setenv("HOST_PROC", root)
	if err := os.CopyFS(root, os.DirFS("../internal/counters/testdata/proc")); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("1", filepath.Join(root, "self")); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(root, "1/net/netstat")); err != nil {
		t.Fatal(err)
	}
	const missing = "netstat_tcp: listen_overflows, listen_drops, syncookies_sent, syncookies_recv, syncookies_failed, " +
		"tcp_req_q_full_drop, tcp_req_q_full_do_cookies, tcp_syn_retrans, tcp_timeouts, tcp_abort_on_memory, tcp_time_wait_overflow: left out, because "
	var told []string
	for _, warn := range []func(string){nil, func(message string) { told = append(told, message) }} {
		c, err := netstat.New(netstat.Config{Include: []string{"tcp"}, Sockets: &fakeSource{sockets: []socket.Socket{}}, Warn: warn})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		for range 3 {
			metrics, err := c.Gather(context.Background())
			if warn == nil && (err == nil || !strings.Contains(err.Error(), missing)) || warn != nil && err != nil {
				t.Errorf("the error is %v", err)
			}
			if m := metrics[len(metrics)-1]; m.Name != "netstat_tcp" || len(m.Fields) != 14 {
				t.Errorf("the last row is %s with %d fields, want netstat_tcp with 14", m.Name, len(m.Fields))
			}
		}
	}
	if len(told) != 1 || !strings.HasPrefix(told[0], missing+root) {
		t.Errorf("Warn was told %q, want once %q", told, missing)
	}
}

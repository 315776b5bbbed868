package e2e

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
	"github.com/prometheus/procfs"

	"github.com/l4stat/l4stat/internal/peers"
	"github.com/l4stat/l4stat/internal/testhost"
	"github.com/l4stat/l4stat/netstat/socket"
)

// TestWindows runs l4stat.exe beside what this system says of the same sockets.
func TestWindows(t *testing.T) {
	l4stat, client := peers.OursForWindows(t, "./cmd/l4stat"), peers.OursForWindows(t, "./internal/e2e/testdata/client")
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	h.EveryState(testhost.IPv4, 80)
	h.EveryState(testhost.IPv6, 443)
	h.Connect(testhost.IPv4, 0, 5432, testhost.Established)
	h.UDP(testhost.IPv4, netip.Addr{}, 80, false)
	h.UDP(testhost.IPv6, netip.Addr{}, 0, false)
	w := windows{t, peers.StartWine(t), l4stat}

	t.Run("counts", func(t *testing.T) { w.in(t).counts() })
	t.Run("pid", func(t *testing.T) { w.in(t).pid(client) })
	t.Run("include", func(t *testing.T) { w.in(t).include() })
	t.Run("usage", func(t *testing.T) { w.in(t).usage() })
	t.Run("watch", func(t *testing.T) { w.in(t).watch() })
	t.Run("conns", func(t *testing.T) { w.in(t).conns() })
	t.Run("file", func(t *testing.T) { w.in(t).file() })
}

type windows struct {
	t      *testing.T
	wine   *peers.Wine
	l4stat string
}

func (w windows) in(t *testing.T) windows {
	w.t = t
	return w
}

// run runs l4stat.exe, which must succeed.
func (w windows) run(args ...string) []byte {
	w.t.Helper()
	var diag bytes.Buffer
	cmd := w.wine.Command(w.t.Context(), w.l4stat, args...)
	cmd.Stderr = &diag
	out, err := cmd.Output()
	if err != nil || diag.Len() > 0 {
		w.t.Fatalf("l4stat.exe %q: %v, and on standard error %q", args, err, diag.String())
	}
	return out
}

// counts compares netstat and netstat_port with ss.
func (w windows) counts() {
	want := ssRows(w.t)
	got := decodeRows(w.t, w.run("emit", "--once", "--host", "", "--ports", "80,443"))
	if len(got) != 4 {
		w.t.Errorf("%d rows, want 2 of netstat and 2 of netstat_port: %v", len(got), got)
	}
	for _, r := range got {
		delete(r.Fields, "pid") // of no process of Windows
		if fmt.Sprint(r) != fmt.Sprint(want[r.key()]) {
			w.t.Errorf("l4stat.exe has\n%v\nss has\n%v", r, want[r.key()])
		}
	}
}

// ssRows are the rows that ss makes of the sockets, by their keys.
func ssRows(t *testing.T) map[string]row {
	t.Helper()
	rows := map[string]row{}
	add := func(name string, tags map[string]string, field string) {
		r := row{name, tags, map[string]any{}}
		if rows[r.key()].Fields == nil {
			for s := socket.StateEstablished; int(s) < socket.NumStates; s++ {
				r.Fields["tcp_"+strings.ToLower(s.String())] = int64(0)
			}
			r.Fields["tcp_none"], r.Fields["udp_socket"] = int64(0), int64(0)
			rows[r.key()] = r
		}
		rows[r.key()].Fields[field] = rows[r.key()].Fields[field].(int64) + 1
	}
	for _, protocol := range []string{"-t", "-u"} {
		out, err := exec.Command("ss", "-Han", protocol).Output()
		if err != nil {
			testhost.SkipOrFail(t, "needs ss (Debian: iproute2): "+err.Error())
		}
		for line := range strings.Lines(string(out)) {
			cols := strings.Fields(line) // state, queues, local, remote
			field := "udp_socket"
			if protocol == "-t" {
				state, ok := socket.ParseState(cols[0])
				if !ok {
					t.Fatalf("ss has an unknown state in %q", line)
				}
				field = "tcp_" + strings.ToLower(state.String())
			}
			host, port, err := net.SplitHostPort(cols[3])
			if err != nil {
				t.Fatalf("ss has no address and port in %q: %v", line, err)
			}
			version := "4"
			if strings.Contains(host, ":") || host == "*" {
				version = "6"
			}
			add("netstat", map[string]string{"ip_version": version}, field)
			add("netstat_port", map[string]string{"ip_version": version, "addr_port": port}, field)
		}
	}
	return rows
}

// decodeRows reads line protocol.
func decodeRows(t *testing.T, text []byte) []row {
	t.Helper()
	var rows []row
	d := lineprotocol.NewDecoderWithBytes(text)
	for d.Next() {
		r := row{"", map[string]string{}, map[string]any{}}
		name, err := d.Measurement()
		r.Name = string(name)
		for err == nil {
			var key, value []byte
			if key, value, err = d.NextTag(); err != nil || key == nil {
				break
			}
			r.Tags[string(key)] = string(value)
		}
		for err == nil {
			var key []byte
			var value lineprotocol.Value
			if key, value, err = d.NextField(); err != nil || key == nil {
				break
			}
			r.Fields[string(key)] = value.Interface()
		}
		if _, timeErr := d.Time(lineprotocol.Nanosecond, time.Time{}); err == nil {
			err = timeErr
		}
		if err != nil {
			t.Fatalf("a row that is not line protocol: %v\n%s", err, text)
		}
		rows = append(rows, r)
	}
	return rows
}

// pid has a program of Windows connect from port 7000. It owns the row of that
// port. Wine knows of no owner before something was sent.
func (w windows) pid(client string) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		w.t.Fatal(err)
	}
	defer l.Close()
	cmd := w.wine.Command(w.t.Context(), client, "127.0.0.1:7000", l.Addr().String())
	in, err := cmd.StdinPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	var pid int64
	if _, err := fmt.Fscan(out, &pid); err != nil {
		w.t.Fatalf("the client does not say who it is: %v", err)
	}
	got := decodeRows(w.t, w.run("emit", "--once", "--ports", "7000"))
	i := slices.IndexFunc(got, func(r row) bool { return r.Tags["addr_port"] == "7000" })
	if i < 0 || got[i].Fields["pid"] != pid {
		w.t.Errorf("l4stat.exe has %v, want pid %d", got, pid)
	}
	const where = "127.0.0.1,7000,"
	if conns := string(w.run("conns", "-P", "-o", "laddr,lport,pid", "-F", "lport=7000")); conns != where+strconv.FormatInt(pid, 10)+"\n" {
		w.t.Errorf("l4stat.exe conns has %q, want %s%d", conns, where, pid)
	}
}

// include compares the counters with this system's. Wine has the same figures of
// TCP for IPv4 as for IPv6, so that their sum is twice this system's.
func (w windows) include() {
	fs, err := procfs.NewFS("/proc/self")
	if err != nil {
		w.t.Fatal(err)
	}
	proc, err := procfs.Self()
	if err != nil {
		w.t.Fatal(err)
	}
	snmp, err := proc.Snmp()
	if err != nil {
		w.t.Fatal(err)
	}
	snmp6, err := proc.Snmp6()
	if err != nil {
		w.t.Fatal(err)
	}
	dev, err := fs.NetDev()
	if err != nil {
		w.t.Fatal(err)
	}
	n := func(x *float64) int64 {
		if x == nil {
			return 0
		}
		return int64(*x)
	}
	tcp := snmp.Tcp
	want := []row{
		{"netstat_tcp", map[string]string{}, map[string]any{
			"active_opens": 2 * n(tcp.ActiveOpens), "passive_opens": 2 * n(tcp.PassiveOpens), "attempt_fails": 2 * n(tcp.AttemptFails),
			"estab_resets": 2 * n(tcp.EstabResets), "curr_estab": 2 * n(tcp.CurrEstab), "in_segs": 2 * n(tcp.InSegs),
			"out_segs": 2 * n(tcp.OutSegs), "retrans_segs": 2 * n(tcp.RetransSegs), "in_errs": 2 * n(tcp.InErrs), "out_rsts": 2 * n(tcp.OutRsts),
		}},
		{"netstat_udp", map[string]string{"ip_version": "4"}, map[string]any{
			"in_datagrams": n(snmp.Udp.InDatagrams), "out_datagrams": n(snmp.Udp.OutDatagrams), "no_ports": n(snmp.Udp.NoPorts), "in_errors": n(snmp.Udp.InErrors),
		}},
		{"netstat_udp", map[string]string{"ip_version": "6"}, map[string]any{
			"in_datagrams": n(snmp6.Udp6.InDatagrams), "out_datagrams": n(snmp6.Udp6.OutDatagrams), "no_ports": n(snmp6.Udp6.NoPorts), "in_errors": n(snmp6.Udp6.InErrors),
		}},
	}
	for _, line := range dev {
		want = append(want, row{"netstat_interface", map[string]string{"interface": line.Name}, map[string]any{
			"bytes_recv": int64(line.RxBytes), "bytes_sent": int64(line.TxBytes), "packets_recv": int64(line.RxPackets), "packets_sent": int64(line.TxPackets),
			"err_in": int64(line.RxErrors), "err_out": int64(line.TxErrors), "drop_in": int64(line.RxDropped), "drop_out": int64(line.TxDropped),
		}})
	}
	got := decodeRows(w.t, w.run("emit", "--once", "--host", "", "--include", "tcp,udp,interface"))[2:]
	sortRows(got)
	sortRows(want)
	if fmt.Sprint(got) != fmt.Sprint(want) {
		w.t.Errorf("l4stat.exe has\n%v\nwant\n%v", got, want)
	}
}

// usage has bad usage end with code 2 and one line.
func (w windows) usage() {
	for _, args := range [][]string{{"emit", "--onse"}, {"emit", "--once", "--ports", "http"}, {"emit", "--once", "--include", "conntrack"}, {"watch", "x"}} {
		out, err := w.wine.Command(w.t.Context(), w.l4stat, args...).CombinedOutput()
		if code := exitCode(err); code != 2 || bytes.Count(out, []byte("\n")) != 1 || !bytes.HasPrefix(out, []byte("l4stat: ")) {
			w.t.Errorf("l4stat.exe %q ends with %v and %q, want code 2 and one line", args, err, out)
		}
	}
}

func exitCode(err error) int {
	if err == nil {
		return 0
	}
	if exit, ok := err.(*exec.ExitError); ok {
		return exit.ExitCode()
	}
	return -1
}

// watch has two lines, whose rates are there.
func (w windows) watch() {
	out := string(w.run("watch", "--tcp", "--net", "--json", "3", "2"))
	lines := strings.Split(strings.TrimSpace(out), "\n")
	if len(lines) != 3 || strings.Contains(lines[1], "null") || !strings.Contains(lines[1], `"lis":2`) {
		w.t.Errorf("l4stat.exe watch has %q, want two samples and a summary, all figures known in the second, and 2 listeners", lines)
	}
}

// conns has a row for each TCP socket, as ss.
func (w windows) conns() {
	out, err := exec.Command("ss", "-Htan").Output()
	if err != nil {
		w.t.Fatal(err)
	}
	got := w.run("conns", "-P", "-o", "laddr,lport,raddr,rport,state")
	if want := bytes.Count(out, []byte("\n")); bytes.Count(got, []byte("\n")) != want {
		w.t.Errorf("l4stat.exe conns has %d rows, want ss' %d:\n%s", bytes.Count(got, []byte("\n")), want, got)
	}
}

// file runs until Ctrl-C. The file has whole rows then, and the program says
// nothing of its end.
func (w windows) file() {
	path := filepath.Join(w.t.TempDir(), "netstat.lp")
	p := peers.Start(w.t, w.wine.Command(w.t.Context(), w.l4stat, "emit", "--interval", "50ms", "--output", path))
	peers.Until(w.t, "five gathers in "+path, func() bool {
		text, err := os.ReadFile(path)
		return err == nil && bytes.Count(text, []byte("\n")) >= 2*5
	})
	p.Signal(syscall.SIGINT)
	if err := p.Wait(); err != nil || peers.WithoutPace(p.Log()) != "" {
		w.t.Errorf("Ctrl-C ends l4stat.exe with %v and %q, want code 0 and nothing", err, p.Log())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatal(err)
	}
	if !bytes.HasSuffix(text, []byte("\n")) {
		w.t.Errorf("the last row is torn: %q", text[max(0, len(text)-100):])
	}
	if rows := decodeRows(w.t, text); len(rows)%2 != 0 {
		w.t.Errorf("%d rows, want two for each gather", len(rows))
	}
}

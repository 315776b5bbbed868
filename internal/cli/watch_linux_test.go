package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/internal/testhost"
	"github.com/l4stat/l4stat/netstat"
)

// watched is a line of l4stat watch --json.
type watched struct {
	Time                        time.Time
	TCP, UDP, Drops, Groups     map[string]*float64
	Socket, Net, Conntrack, CPU map[string]*float64
	Mem                         map[string]*float64
	Summary                     *struct{ Samples int }
}

// watchJSON runs l4stat watch --json to its end and gives its samples, and what is
// in the last line.
func watchJSON(t *testing.T, args ...string) (samples []watched, summary watched) {
	t.Helper()
	stdout, _, code := run(t, nil, append([]string{"watch", "--json"}, args...)...)
	if code != exitDone {
		t.Fatalf("watch %v: exit code %d", args, code)
	}
	samples = parseWatched(t, stdout)
	return samples[:len(samples)-1], samples[len(samples)-1]
}

func parseWatched(t *testing.T, text string) []watched {
	t.Helper()
	var all []watched
	for line := range strings.Lines(text) {
		var w watched
		if err := json.Unmarshal([]byte(line), &w); err != nil {
			t.Fatalf("%v in %s", err, line)
		}
		all = append(all, w)
	}
	if len(all) == 0 || all[len(all)-1].Summary == nil {
		t.Fatalf("no summary at the end of\n%s", text)
	}
	return all
}

// dstat finds Debian's dstat, not that of pcp.
func dstat(t *testing.T) string {
	t.Helper()
	path, err := exec.LookPath("dstat")
	if err == nil {
		if at, _ := filepath.EvalSymlinks(path); strings.Contains(at, "pcp") {
			err = errors.New(path + " is that of pcp")
		}
	}
	if err != nil {
		testhost.SkipOrFail(t, "needs dstat (Debian: dstat): "+err.Error())
	}
	return path
}

// TestWatchBesideDstat has the states that dstat and /proc show of known sockets.
func TestWatchBesideDstat(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	exe := dstat(t)
	h := testhost.New(t)
	h.EveryState(testhost.IPv4, 80)
	h.EveryState(testhost.IPv6, 81)
	h.EveryState(testhost.Mapped, 82)
	for i := range 5 {
		h.UDP(testhost.IPv4, netip.Addr{}, uint16(1000+i), i < 2)
	}
	for i := range 4 {
		h.UDP(testhost.IPv6, netip.Addr{}, uint16(2000+i), i < 1)
	}

	out, err := exec.Command(exe, "--nocolor", "--noheaders", "--tcp", "--udp", "1", "1").Output()
	if err != nil {
		t.Fatalf("dstat: %v", err)
	}
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	var theirs []int
	for _, word := range strings.Fields(strings.ReplaceAll(lines[len(lines)-1], "|", " ")) {
		n, err := strconv.Atoi(word)
		if err != nil {
			t.Fatalf("dstat: %v in %q", err, out)
		}
		theirs = append(theirs, n)
	}
	if len(theirs) != 7 {
		t.Fatalf("dstat has %d figures, want 7:\n%s", len(theirs), out)
	}

	proc := map[string]int{} // by protocol and state
	for _, table := range []string{"tcp", "tcp6", "udp", "udp6"} {
		text, err := os.ReadFile("/proc/self/net/" + table)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			proc[table[:3]+strings.Fields(line)[3]]++
		}
	}

	samples, _ := watchJSON(t, "1", "1")
	var ours []int
	for _, name := range []string{"lis", "act", "syn", "tim", "clo"} {
		ours = append(ours, int(*samples[0].TCP[name]))
	}
	for _, name := range []string{"lis", "act"} {
		ours = append(ours, int(*samples[0].UDP[name]))
	}
	// LISTEN, ESTABLISHED, SYN, TIME_WAIT, closing; EveryState has 12 sockets in ten states.
	known := []int{3, 6, 6, 3, 18, 6, 3}
	if !reflect.DeepEqual(ours, known) {
		t.Errorf("watch shows %v, want %v", ours, known)
	}
	inProc := []int{proc["tcp0A"], proc["tcp01"], proc["tcp02"] + proc["tcp03"], proc["tcp06"],
		proc["tcp04"] + proc["tcp05"] + proc["tcp07"] + proc["tcp08"] + proc["tcp09"] + proc["tcp0B"], proc["udp07"], proc["udp01"]}
	if !reflect.DeepEqual(ours, inProc) {
		t.Errorf("watch shows %v, /proc %v", ours, inProc)
	}
	const syn, clo = 2, 4
	theirs[syn] -= proc["tcp09"] // LAST_ACK
	theirs[clo] += proc["tcp09"]
	if proc["tcp09"] != 3 || !reflect.DeepEqual(ours, theirs) {
		t.Errorf("watch shows %v, dstat with its %d sockets in LAST_ACK moved %v", ours, proc["tcp09"], theirs)
	}
	t.Logf("dstat: %s", lines[len(lines)-1])
}

// TestWatchCSVBesideDstat has the header that dstat writes, in a new file and in
// one that is appended to.
func TestWatchCSVBesideDstat(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	t.Parallel()
	exe := dstat(t)
	dir := t.TempDir()
	header := func(name string, write func(file string)) []string {
		file := filepath.Join(dir, name)
		write(file)
		write(file)
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, value := range []string{`"Author:",("[^"]*")`, `"URL:",("[^"]*")`, `"Cmdline:",("[^"]*")`, `"Date:",("[^"]*")`} {
			re := regexp.MustCompile(value)
			text = re.ReplaceAllFunc(text, func(b []byte) []byte { return b[:bytes.IndexByte(b, ',')] })
		}
		row := regexp.MustCompile(`(?m)^[-0-9.,].*\n`) // dstat of Debian 12 crashes at its first
		return strings.Split(string(row.ReplaceAll(text, nil)), "\n")
	}
	groups := []string{"--socket", "--net", "--cpu", "--mem", "--time"}
	theirs := header("dstat.csv", func(file string) {
		// The error is the crash.
		_ = exec.Command(exe, append(groups, "--output", file, "1", "1")...).Run()
	})
	ours := header("l4stat.csv", func(file string) {
		if _, stderr, code := run(t, nil, append(append([]string{"watch"}, groups...), "--output", file, "0.2", "2")...); code != exitDone {
			t.Fatalf("exit code %d, standard error %q", code, stderr)
		}
	})
	if !reflect.DeepEqual(ours, theirs) {
		t.Errorf("without rows the file is\n%s\nthat of dstat\n%s", strings.Join(ours, "\n"), strings.Join(theirs, "\n"))
	}

	// Interfaces and processors apart, and the epoch.
	groups = []string{"-Tcn", "-N", "lo,total", "-C", "0,total"}
	theirs = header("dstat-apart.csv", func(file string) {
		_ = exec.Command(exe, append(groups, "--output", file, "1", "1")...).Run()
	})
	ours = header("l4stat-apart.csv", func(file string) {
		if _, stderr, code := run(t, nil, append(append([]string{"watch"}, groups...), "--output", file, "0.2", "2")...); code != exitDone {
			t.Fatalf("exit code %d, standard error %q", code, stderr)
		}
	})
	if !reflect.DeepEqual(ours, theirs) {
		t.Errorf("without rows the file is\n%s\nthat of dstat\n%s", strings.Join(ours, "\n"), strings.Join(theirs, "\n"))
	}

	// With --tcp and --udp there are columns that dstat does not have, after those that it has.
	groups = []string{"--tcp", "--udp", "--time"}
	theirs = header("dstat-l4.csv", func(file string) {
		_ = exec.Command(exe, append(groups, "--output", file, "1", "1")...).Run()
	})
	ours = header("l4stat-l4.csv", func(file string) {
		run(t, nil, append(append([]string{"watch"}, groups...), "--output", file, "0.2", "1")...)
	})
	for i, line := range theirs {
		if i >= len(ours) || !strings.HasPrefix(ours[i], line) {
			t.Fatalf("without rows the file is\n%s\nwhich goes on from that of dstat\n%s", strings.Join(ours, "\n"), strings.Join(theirs, "\n"))
		}
	}
	if want := theirs[4] + `,"tcp per second",,,,"udp per second",,`; ours[4] != want {
		t.Errorf("the titles are\n%s, want\n%s", ours[4], want)
	}
}

// generator does things at a rate, and knows when each was done.
type generator struct {
	mu   sync.Mutex
	done map[string][]time.Time
	wg   sync.WaitGroup
	ctx  context.Context
	err  error
}

// do calls fn so often per second until the context ends.
func (g *generator) do(what string, perSecond int, fn func() error) {
	g.wg.Go(func() {
		// When the machine is busy, what was left out is made up for: the rate is known over all.
		start, n := time.Now(), 0
		for g.ctx.Err() == nil {
			for due := int(time.Since(start).Seconds() * float64(perSecond)); n < due; n++ {
				g.note(what, fn())
			}
			time.Sleep(time.Second / time.Duration(2*perSecond))
		}
	})
}

// note notes that something was done now.
func (g *generator) note(what string, err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.done[what] = append(g.done[what], time.Now())
	g.err = errors.Join(g.err, err)
}

// between counts what was done.
func (g *generator) between(what string, from, to time.Time) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := 0
	for _, at := range g.done[what] {
		if at.After(from) && !at.After(to) {
			n++
		}
	}
	return n
}

// failure gives what went wrong, while datagrams may still be on their way.
func (g *generator) failure() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.err
}

// TestWatchRates has the rates of what a generator does for ten seconds.
func TestWatchRates(t *testing.T) {
	if testing.Short() {
		t.Skip("takes ten seconds")
	}
	if !testhost.Enter(t) {
		return
	}
	testhost.New(t) // which sets loopback up
	ctx, cancel := context.WithCancel(t.Context())
	g := &generator{done: map[string][]time.Time{}, ctx: ctx}
	defer g.wg.Wait()
	defer cancel()

	open, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = open.Close() }()
	go func() {
		for {
			c, err := open.Accept()
			if err != nil {
				return
			}
			_ = c.Close()
		}
	}()
	dial := func(to string) error {
		c, err := net.DialTimeout("tcp4", to, 10*time.Second)
		if err == nil {
			_ = c.(*net.TCPConn).SetLinger(0)
			_ = c.Close()
		}
		return err
	}
	g.do("accepted", 200, func() error { return dial(open.Addr().String()) })
	g.do("refused", 50, func() error {
		if err := dial("127.0.0.1:1"); !errors.Is(err, syscall.ECONNREFUSED) {
			return fmt.Errorf("a port that nobody listens on: %w", err)
		}
		return nil
	})
	sink, err := net.ListenPacket("udp6", "[::1]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = sink.Close() }()
	go func() {
		for b := make([]byte, 100); ; {
			if _, _, err := sink.ReadFrom(b); err != nil {
				return
			}
			g.note("received", nil)
		}
	}()
	from, err := net.Dial("udp6", sink.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = from.Close() }()
	g.do("datagrams", 1000, func() error {
		_, err := from.Write([]byte("x"))
		return err
	})
	full := fullListener(t)
	g.do("overflows", 20, func() error { return knock(full) })

	samples, _ := watchJSON(t, "--tcp", "--udp", "--drops", "10", "2")
	cancel()
	g.wg.Wait()
	if err := g.failure(); err != nil {
		t.Fatal(err)
	}
	before, after := samples[0].Time, samples[1].Time
	s := samples[1]
	over := after.Sub(before).Seconds()
	per := func(what string) float64 { return float64(g.between(what, before, after)) / over }
	tests := []struct {
		name      string
		got       *float64
		want      float64
		perSecond float64 // that was meant
	}{
		{"acpt", s.TCP["acpt"], per("accepted"), 200},
		{"fail", s.TCP["fail"], per("refused"), 50},
		{"open", s.TCP["open"], per("accepted") + per("refused") + per("overflows"), 270},
		{"in", s.UDP["in"], per("received"), 1000}, // when the machine is busy, its buffer overflows
		{"out", s.UDP["out"], per("datagrams"), 1000},
		{"over", s.Drops["over"], per("overflows"), 20},
		{"drop", s.Drops["drop"], per("overflows"), 20},
	}
	const tolerance = 0.02
	for _, tt := range tests {
		t.Logf("%s: %.2f per second over %.3f s, the generator did %.2f", tt.name, *tt.got, over, tt.want)
		if math.Abs(*tt.got-tt.want) > tolerance*tt.want {
			t.Errorf("%s is %.2f per second, the generator did %.2f", tt.name, *tt.got, tt.want)
		}
		if tt.want < tt.perSecond/2 {
			t.Errorf("the generator did %.2f per second of %s, want some %v", tt.want, tt.name, tt.perSecond)
		}
	}
	if got, want := *s.UDP["err"], per("datagrams")-per("received"); math.Abs(got-want) > tolerance*per("datagrams") {
		t.Errorf("err is %.2f per second, of the generator's datagrams %.2f were lost", got, want)
	}
	if got := *s.Drops["cook"]; got != 0 {
		t.Errorf("cook is %v per second, want 0", got)
	}
	if over < 10 || over > 15 {
		t.Errorf("there were %.3f s between the samples, want 10", over)
	}
}

// fullListener makes a listener whose accept queue is full.
func fullListener(t *testing.T) *unix.SockaddrInet4 {
	t.Helper()
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close(fd) })
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	name, err := unix.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := name.(*unix.SockaddrInet4)
	c, err := net.Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", addr.Port)) // a backlog of 0 holds one
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return addr
}

// knock sends one SYN, and gives up before it is sent again.
func knock(to *unix.SockaddrInet4) error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer func() { _ = unix.Close(fd) }()
	if err := unix.Connect(fd, to); !errors.Is(err, unix.EINPROGRESS) {
		return fmt.Errorf("connect to a full listener: %w", err)
	}
	return nil
}

// started is l4stat watch while it runs.
type started struct {
	*exec.Cmd
	mu  sync.Mutex
	out bytes.Buffer
}

func (s *started) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.Write(b)
}

func (s *started) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.out.String()
}

// startWatch starts l4stat watch.
func startWatch(t *testing.T, args ...string) *started {
	t.Helper()
	s := &started{Cmd: program(t, nil, append([]string{"watch"}, args...)...)}
	s.Stdout = s
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Process.Kill() })
	return s
}

// lines waits until there are so many more lines.
func (s *started) lines(t *testing.T, more int) {
	t.Helper()
	want := strings.Count(s.String(), "\n") + more
	for end := time.Now().Add(time.Minute); strings.Count(s.String(), "\n") < want; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no %d lines more after a minute:\n%s", more, s)
		}
	}
}

// interrupt sends SIGINT and waits for the end.
func (s *started) interrupt(t *testing.T) {
	t.Helper()
	if err := s.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(); err != nil {
		t.Errorf("interrupted, it ends with %v", err)
	}
}

// sysctl sets a value of the namespace.
func sysctl(t *testing.T, name, value string) {
	t.Helper()
	if err := os.WriteFile("/proc/sys/net/"+name, []byte(value), 0); err != nil {
		testhost.SkipOrFail(t, "cannot set a sysctl of the namespace: "+err.Error())
	}
}

// TestWatchSYNFlood has a flood of SYNs show in watch and in netstat_tcp, with
// the kernel's cookies and without.
func TestWatchSYNFlood(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	const queue, established = 256, 3
	sysctl(t, "core/somaxconn", strconv.Itoa(queue))
	l := h.Listen(testhost.IPv4, netip.Addr{}, 80)
	for range established {
		h.Accept(testhost.IPv4, l, testhost.Established)
	}
	c, err := netstat.New(netstat.Config{Include: []string{"tcp"}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	gather := func() map[string]int64 {
		metrics, err := c.Gather(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		fields := map[string]int64{}
		for _, m := range metrics {
			if m.Name != "netstat_tcp" {
				continue
			}
			for _, f := range m.Fields {
				fields[f.Key] = f.Value.Any().(int64)
			}
		}
		return fields
	}

	before := gather()
	w := startWatch(t, "--json", "--tcp", "--drops", "--net", "0.2")
	w.lines(t, 2)
	const rounds, atOnce = 10, 100
	flood := func() {
		for range rounds {
			h.Flood(l, atOnce)
			time.Sleep(50 * time.Millisecond)
		}
		w.lines(t, 2)
	}
	flood()
	sysctl(t, "ipv4/tcp_syncookies", "0")
	flood()
	after := gather()
	w.interrupt(t)

	total := map[string]float64{}
	most := 0.0
	all := parseWatched(t, w.String())
	for i, s := range all[1 : len(all)-1] {
		for _, name := range []string{"over", "drop", "cook"} {
			total[name] += *s.Drops[name] * s.Time.Sub(all[i].Time).Seconds()
		}
		total["retr"] += *s.TCP["retr"] * s.Time.Sub(all[i].Time).Seconds()
		total["recv"] += *s.Net["recv"] * s.Time.Sub(all[i].Time).Seconds()
		most = max(most, *s.TCP["syn"])
		if *s.TCP["act"] != established || *s.TCP["acpt"] != 0 {
			t.Errorf("established are %v and accepted %v per second, want %d and 0", *s.TCP["act"], *s.TCP["acpt"], established)
		}
	}
	if total["retr"] < 1 {
		t.Error("retr shows none of the answers that are sent again after a second")
	}
	const sent = rounds * atOnce
	cookies, drops := after["syncookies_sent"]-before["syncookies_sent"], after["listen_drops"]-before["listen_drops"]
	t.Logf("of %d SYNs and %d without cookies: syn up to %v; cookies %.0f, netstat_tcp %d; drops %.0f, netstat_tcp %d",
		sent, sent, most, total["cook"], cookies, total["drop"], drops)
	if most < queue || most > queue+1 {
		t.Errorf("syn is up to %v, the queue holds %d", most, queue)
	}
	if cookies < sent-queue-1 || cookies > sent {
		t.Errorf("netstat_tcp has %d cookies of %d SYNs beyond a queue of %d", cookies, sent, queue)
	}
	if drops != sent {
		t.Errorf("netstat_tcp has %d drops of %d SYNs to a full queue without cookies", drops, sent)
	}
	const bytes = 40 // of a SYN, in all
	for name, want := range map[string]int64{"cook": cookies, "drop": drops, "over": 0, "recv": 2 * sent * bytes} {
		if math.Abs(total[name]-float64(want)) > 0.1*float64(want) {
			t.Errorf("%s adds up to %.1f, want %d", name, total[name], want)
		}
	}
}

// TestWatchInterrupt has a summary at the end of a run that SIGINT ends.
func TestWatchInterrupt(t *testing.T) {
	t.Parallel()
	w := startWatch(t, "0.2")
	w.lines(t, 5)
	w.interrupt(t)
	lines := strings.Split(strings.TrimSuffix(w.String(), "\n"), "\n")
	if len(lines) < 9 || !strings.HasPrefix(lines[len(lines)-4], "-- minimum, average and maximum of ") {
		t.Fatalf("no summary at the end:\n%s", w)
	}
	for i, label := range []string{" min", " avg", " max"} {
		if line := lines[len(lines)-3+i]; !strings.HasSuffix(line, label) || len(line) != len(lines[1])+len(label) {
			t.Errorf("the summary has the line %q, want one of the header's width and %q", line, label)
		}
	}
}

// TestWatchClosedPipe ends when nobody reads any more.
func TestWatchClosedPipe(t *testing.T) {
	t.Parallel()
	cmd := program(t, nil, "watch", "0.2")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var diag bytes.Buffer
	cmd.Stderr = &diag
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(out, make([]byte, 100)); err != nil {
		t.Fatal(err)
	}
	_ = out.Close()
	if err := cmd.Wait(); err != nil {
		t.Errorf("it ends with %v", err)
	}
	for line := range strings.Lines(diag.String()) {
		if !strings.Contains(line, "a late line") && !strings.Contains(line, "so the delay is") { // a busy machine
			t.Errorf("standard error has %q", line)
		}
	}
}

// TestWatchFullDisk shows the figures also where --output cannot be written.
func TestWatchFullDisk(t *testing.T) {
	t.Parallel()
	stdout, stderr, code := run(t, nil, "watch", "--output", "/dev/full", "0.2", "3")
	if code != exitFailed || strings.Count(stdout, "\n") != 2+3+4 {
		t.Errorf("exit code %d, want %d; output\n%s", code, exitFailed, stdout)
	}
	if strings.Count(stderr, "no space left on device") != 2 || !strings.Contains(stderr, "--output") {
		t.Errorf("standard error has %q, want a warning and the error at the end", stderr)
	}
}

// TestWatchGroups has a column for each group of a file.
func TestWatchGroups(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	for i, v := range []testhost.Version{testhost.IPv4, testhost.IPv6, testhost.Mapped} {
		h.EveryState(v, uint16(80+i))
	}
	h.UDP(testhost.IPv4, netip.Addr{}, 53, false)
	config := configFile(t, `[[inputs.netstat]]
[[inputs.netstat.addr_ports]]
ports = ["80", "81"]
[inputs.netstat.addr_ports.tags]
service = "web"
[[inputs.netstat.addr_ports]]
ports = ["80-90", "53"]
`)
	samples, _ := watchJSON(t, "--groups", "--config", config, "1", "1")
	got := map[string]float64{}
	for name, v := range samples[0].Groups {
		got[name] = *v
	}
	// EveryState has two connections in ESTABLISHED.
	if want := map[string]float64{"web": 4, "80-90,53": 2 + 1}; !reflect.DeepEqual(got, want) {
		t.Errorf("the columns are %v, want %v", got, want)
	}
}

// TestWatchSockets has the sockets that are in use, of both IP versions.
func TestWatchSockets(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	for i, v := range []testhost.Version{testhost.IPv4, testhost.IPv4, testhost.IPv6} {
		h.Listen(v, netip.Addr{}, uint16(80+i))
		h.UDP(v, netip.Addr{}, uint16(80+i), false)
	}
	h.UDP(testhost.IPv6, netip.Addr{}, 53, true)
	for _, family := range []int{unix.AF_INET, unix.AF_INET6} {
		fd, err := unix.Socket(family, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 253) // for experiments
		if err != nil {
			testhost.SkipOrFail(t, "cannot make a raw socket: "+err.Error())
		}
		defer func() { _ = unix.Close(fd) }()
	}
	samples, _ := watchJSON(t, "--socket", "1", "1")
	got := samples[0].Socket
	for name, want := range map[string]float64{"tcp": 3, "udp": 4, "raw": 2, "frg": 0} {
		if *got[name] != want {
			t.Errorf("%s is %v, want %v", name, *got[name], want)
		}
	}
	if all := 3.0 + 4 + 2; *got["tot"] < all || *got["tot"] > all+50 {
		t.Errorf("tot is %v, want %v and the few that the program has", *got["tot"], all)
	}
}

// TestWatchHost has figures of the whole host be as /proc has them.
func TestWatchHost(t *testing.T) {
	t.Parallel()
	samples, _ := watchJSON(t, "--cpu", "--mem", "--conntrack", "0.5", "2")
	s := samples[1]
	sum := 0.0
	for name, v := range s.CPU {
		if v == nil || *v < 0 || *v > 100 {
			t.Fatalf("%s of the processors is %v", name, v)
		}
		sum += *v
	}
	if math.Abs(sum-100) > 0.01 {
		t.Errorf("the processors' time adds up to %v percent", sum)
	}

	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		t.Fatal(err)
	}
	info := map[string]float64{}
	for line := range strings.Lines(string(text)) {
		words := strings.Fields(line)
		kib, err := strconv.ParseFloat(words[1], 64)
		if err != nil {
			t.Fatal(err)
		}
		info[strings.TrimSuffix(words[0], ":")] = kib * 1024
	}
	near := info["MemTotal"] / 5 // other programs run meanwhile
	for name, want := range map[string]float64{
		"free": info["MemFree"], "buff": info["Buffers"], "cach": info["Cached"],
		"used": info["MemTotal"] - info["MemFree"] - info["Buffers"] - info["Cached"] - info["SReclaimable"] + info["Shmem"],
	} {
		if math.Abs(*s.Mem[name]-want) > near {
			t.Errorf("%s is %v bytes, /proc/meminfo says %v", name, *s.Mem[name], want)
		}
	}

	most, err := os.ReadFile("/proc/sys/net/netfilter/nf_conntrack_max")
	switch {
	case errors.Is(err, os.ErrNotExist):
		if s.Conntrack["used"] != nil || s.Conntrack["max"] != nil {
			t.Errorf("this kernel does not track connections, and the figures are %v", s.Conntrack)
		}
	case err != nil:
		t.Fatal(err)
	case fmt.Sprint(int(*s.Conntrack["max"])) != strings.TrimSpace(string(most)):
		t.Errorf("max is %v, the kernel says %s", *s.Conntrack["max"], most)
	}
}

// TestWatchFileLimit has a file that takes a part of a row and no more: what is
// in it are whole rows.
func TestWatchFileLimit(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	t.Parallel()
	file := filepath.Join(t.TempDir(), "out.csv")
	cmd := program(t, nil, "watch", "--tcp", "--udp", "--socket", "--cpu", "--mem", "--output", file, "0.05", "60")
	// The limit is of 1 or 2 KiB, as the shell counts.
	cmd.Args = append([]string{"sh", "-c", `ulimit -f 2 && exec "$@"`, "sh", cmd.Path}, cmd.Args[1:]...)
	cmd.Path = "/bin/sh"
	var diag bytes.Buffer
	cmd.Stderr = &diag
	err := cmd.Run()
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(diag.String(), "file too large") {
		t.Errorf("it ends with %v, standard error %q", err, diag.String())
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	const header = 6
	if len(lines) < header+2 || lines[len(lines)-1] != "" {
		t.Fatalf("the file does not end with a row:\n%s", text)
	}
	for _, line := range lines[header : len(lines)-1] {
		if strings.Count(line, ",") != strings.Count(lines[header-1], ",") {
			t.Errorf("a row is %q below %q", line, lines[header-1])
		}
	}
}

package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/l4stat/l4stat/internal/testhost"
)

// conns runs l4stat conns and gives what it writes.
func conns(t *testing.T, args ...string) string {
	t.Helper()
	stdout, stderr, code := run(t, nil, append([]string{"conns"}, args...)...)
	if code != exitDone || stderr != "" {
		t.Fatalf("conns %v: exit code %d, standard error %q", args, code, stderr)
	}
	return stdout
}

// cells gives the values of each row, without what lines them up.
func cells(text string) [][]string {
	var rows [][]string
	for line := range strings.Lines(text) {
		rows = append(rows, strings.Fields(line))
	}
	return rows
}

// sameRows checks rows whose order does not matter, but for the headings.
func sameRows(t *testing.T, got, want string) {
	t.Helper()
	key := func(text string) []string {
		var rows []string
		for _, row := range cells(text) {
			rows = append(rows, strings.Join(row, " "))
		}
		slices.Sort(rows[min(1, len(rows)):])
		return rows
	}
	if !slices.Equal(key(got), key(want)) {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// manual is the host of the examples in connstat's manual page.
func manual(t *testing.T) *testhost.Pair {
	p := testhost.NewPair(t)
	p.Near("ip", "address", "add", "10.43.37.172/32", "dev", "near")
	p.Near("ip", "route", "add", "172.16.0.0/16", "via", testhost.FarAddr.String(), "src", "10.43.37.172")
	for _, peer := range []string{"172.16.105.4", "172.16.98.16", "172.16.100.162", "10.43.11.64", "10.43.16.132", "172.16.168.30"} {
		p.Far("ip", "address", "add", peer+"/32", "dev", "far")
	}
	p.Near("ip", "route", "add", "10.43.0.0/16", "via", testhost.FarAddr.String(), "src", "10.43.37.172")
	p.Far("ip", "route", "add", "10.43.37.172/32", "via", testhost.NearAddr.String())
	return p
}

// TestConnsExamples has each example of connstat's manual page, with its
// addresses and ports.
func TestConnsExamples(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	p := manual(t)
	addr := netip.MustParseAddrPort
	ssh := p.ListenNear(addr("10.43.37.172:22"))
	http := p.ListenNear(addr("10.43.37.172:80"))
	p.DialNear(addr("10.43.37.172:51275"), p.ListenFar(addr("172.16.105.4:389")))
	p.DialFar(addr("172.16.98.16:62270"), ssh)
	p.DialNear(addr("10.43.37.172:1020"), p.ListenFar(addr("172.16.100.162:2049")))
	p.DialNear(addr("10.43.37.172:1019"), p.ListenFar(addr("10.43.11.64:2049")))
	p.DialFar(addr("172.16.98.16:61520"), ssh)
	p.DialFar(addr("10.43.16.132:59467"), http)

	t.Run("1", func(t *testing.T) {
		sameRows(t, conns(t, "-e"), `LADDR LPORT RADDR RPORT STATE
10.43.37.172 51275 172.16.105.4 389 ESTABLISHED
10.43.37.172 22 172.16.98.16 62270 ESTABLISHED
10.43.37.172 1020 172.16.100.162 2049 ESTABLISHED
10.43.37.172 1019 10.43.11.64 2049 ESTABLISHED
10.43.37.172 22 172.16.98.16 61520 ESTABLISHED
10.43.37.172 80 10.43.16.132 59467 ESTABLISHED
`)
	})

	t.Run("2", func(t *testing.T) {
		_, session := p.DialFar(addr("172.16.168.30:49675"), ssh)
		cmd := program(t, nil, "conns", "-F", "lport=22,rport=49675,raddr=172.16.168.30", "-o", "inbytes,outbytes", "-i", "1")
		lines := start(t, cmd)
		total := 0
		for range 2 {
			lines.expect("INBYTES OUTBYTES")
			lines.expect(fmt.Sprint("0 ", total))
			if _, err := session.Write(make([]byte, 160)); err != nil {
				t.Fatal(err)
			}
			total += 160
		}
		lines.end(cmd)
	})

	p.DialNear(addr("10.43.37.172:41934"), p.ListenFar(addr("172.16.168.30:50001")))
	t.Run("3", func(t *testing.T) {
		cmd := program(t, []string{"TZ=America/New_York"}, "conns", "-F", "lport=41934,rport=50001",
			"-o", "outbytes,suna,cwnd,unsent,retransbytes,rtt", "-T", "d", "-i", "1")
		lines := start(t, cmd)
		for range 2 {
			lines.match(`^20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]$`)
			lines.expect("OUTBYTES SUNA CWND UNSENT RETRANSBYTES RTT")
			lines.match(`^0 0 [1-9][0-9]* 0 0 [1-9][0-9]*$`)
		}
		lines.end(cmd)
	})

	t.Run("4", func(t *testing.T) {
		if _, err := exec.LookPath("bash"); err != nil {
			testhost.SkipOrFail(t, "needs bash")
		}
		// rtt in place of the two fields that Linux does not have, print, which is
		// ksh's, as echo, and two rounds.
		script := `#!/bin/bash
i=0
connstat -P -F lport=41934,rport=50001 -o rtt -i 1 | \
while IFS=, read rtt[$i]; do
  if [[ $i != 0 ]]; then
    let rtt="(${rtt[$i]} + ${rtt[$i - 1]}) / 2"
    echo "avg rtt = ${rtt}us"
    [[ $i == 2 ]] && exit
  fi
  ((i++))
done
`
		dir := t.TempDir()
		exe, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		wrapper := fmt.Sprintf("#!/bin/sh\n%s=1 exec %s conns \"$@\"\n", mainMarker, exe)
		if err := os.WriteFile(filepath.Join(dir, "connstat"), []byte(wrapper), 0o755); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("bash", "-c", script)
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"), "GORACE=atexit_sleep_ms=0")
		out, err := cmd.CombinedOutput()
		if err != nil || strings.Count(string(out), "\n") != 2 || !strings.HasPrefix(string(out), "avg rtt = ") || strings.Contains(string(out), "= us") {
			t.Errorf("error %v, output\n%s", err, out)
		}
	})

	t.Run("5", func(t *testing.T) {
		for _, port := range []uint16{56067, 56068, 56070} {
			far, near := p.DialFar(netip.AddrPortFrom(netip.MustParseAddr("172.16.168.30"), port), http)
			if err := near.Close(); err != nil {
				t.Fatal(err)
			}
			if _, err := far.Read(make([]byte, 1)); err == nil {
				t.Fatal("there is something to read")
			}
			if err := far.Close(); err != nil {
				t.Fatal(err)
			}
		}
		want := `LADDR LPORT RADDR RPORT STATE
10.43.37.172 80 172.16.168.30 56067 TIME_WAIT
10.43.37.172 80 172.16.168.30 56068 TIME_WAIT
10.43.37.172 80 172.16.168.30 56070 TIME_WAIT
`
		eventually(t, func() bool { return strings.Count(conns(t, "-F", "state=time_wait,lport=80"), "\n") == 4 })
		sameRows(t, conns(t, "-F", "state=time_wait,lport=80"), want)
	})
}

// TestConnsStates has sockets in every state. Those that the kernel keeps no
// more than a mini-socket of have "-" in all but addresses and state.
func TestConnsStates(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	all := map[string]int{}
	for i, v := range []testhost.Version{testhost.IPv4, testhost.IPv6, testhost.Mapped} {
		for _, s := range h.EveryState(v, 80+uint16(i)) {
			all[connstatName(s.State)]++
		}
	}
	h.Bound(testhost.IPv4, 90)

	var header []string
	for i, row := range cells(conns(t, "-o", "all")) {
		if i == 0 {
			header = row
			continue
		}
		value := map[string]string{}
		for j, name := range header {
			value[name] = row[j]
		}
		if len(row) != len(header) {
			t.Fatalf("%d values for %d fields: %v", len(row), len(header), row)
		}
		state := value["STATE"]
		all[state]--
		mini := state == "TIME_WAIT" || state == "SYN_RECEIVED" || state == "FIN_WAIT_2" && value["INODE"] == "-"
		for name, v := range value {
			switch name {
			case "LADDR", "LPORT", "RADDR", "RPORT", "STATE":
				if v == "-" {
					t.Errorf("%s has no %s", state, name)
				}
			case "INUNORDERBYTES", "RTTS", "RTTC":
				t.Errorf("all has %s, which Linux does not keep", name)
			case "INBYTES", "SUNA", "CWND", "OUTSEGS":
				if (v == "-") != (mini || state == "LISTEN") {
					t.Errorf("%s has %s %s", state, name, v)
				}
			case "UID", "WQUEUE", "CC", "COOKIE":
				if (v == "-") != mini {
					t.Errorf("%s has %s %s", state, name, v)
				}
			case "RTT", "RTTVAR", "MINRTT":
				if (v == "-") != (mini || state == "LISTEN" || state == "SYN_SENT") {
					t.Errorf("%s has %s %s", state, name, v)
				}
			default:
				if mini && v != "-" {
					t.Errorf("%s has %s %s", state, name, v)
				}
			}
		}
	}
	for state, n := range all {
		if n != 0 {
			t.Errorf("of %s there are %d less than were made", state, n)
		}
	}

	for _, name := range []string{"SYN_RECEIVED", "syn_recv", "Fin_Wait_1", "FIN_WAIT1", "estab", "listen", "time-wait"} {
		if got := conns(t, "-F", "state="+name); strings.Count(got, "\n") < 4 {
			t.Errorf("state=%s gives\n%s", name, got)
		}
	}
	if got := conns(t, "-P", "-o", "lport,state", "-F", "state=bound"); got != "90,BOUND\n" {
		t.Errorf("state=bound gives %q", got)
	}
}

func connstatName(s testhost.State) string {
	switch s {
	case testhost.SynRecv:
		return "SYN_RECEIVED"
	case testhost.FinWait1:
		return "FIN_WAIT_1"
	case testhost.FinWait2:
		return "FIN_WAIT_2"
	}
	return string(s)
}

// TestConnsFilter has each element of the filter.
func TestConnsFilter(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	h.EveryState(testhost.IPv4, 80)
	h.EveryState(testhost.IPv6, 81)
	h.EveryState(testhost.Mapped, 82)
	h.Connect(testhost.IPv4, 6000, 5432, testhost.Established)
	l := h.Listen(testhost.IPv4, netip.MustParseAddr("127.0.0.1"), 7000)
	const each = 12 // sockets of EveryState, of which one is a listener
	pid := fmt.Sprint(os.Getpid())
	name := strings.TrimSpace(readFile(t, "/proc/self/comm"))
	tests := []struct {
		args string
		rows int
	}{
		{"", 3*each + 2},
		{"-4", each + each - 1 + 2}, // the listener of a mapped port is [::]
		{"-6", each + 1},
		{"-L", 3*each + 1},
		{"-e", 3*2 + 1},
		{"-4eL", 2*2 + 1},
		{"-F lport=80", each},
		{"-F lport=80-81", 2 * each},
		{"-F rport=5432", 1},
		{"-F laddr=10.77.0.1", 2*(each-1) + 1},
		{"-F laddr=::ffff:10.77.0.1", 2*(each-1) + 1},
		{"-F laddr=10.0.0.0/8", 2*(each-1) + 1},
		{"-F raddr=fd77::/16", each - 1},
		{"-F RADDR=[fd77::2]", each - 1},
		{"-F laddr=127.0.0.1", 1},
		{"-F laddr=127.0.0.1 -L", 0},
		{"-F state=listen", 4},
		{"-F state=listen,lport=81", 1},
		{"-F pid=" + pid, 3*(each-4) + 2}, // TIME_WAIT, SYN_RECV, a queued and an orphaned one are nobody's
		{"-F pid=999999999", 0},
		{"-F process=" + name, 3*(each-4) + 2},
		{"-F process=nobody", 0},
		{"-F process=" + name + ",lport=80,state=established", 1},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			got := conns(t, append(strings.Fields(tt.args), "-P", "-o", "laddr,lport,raddr,rport,state,pid")...)
			if n := strings.Count(got, "\n"); n != tt.rows {
				t.Errorf("%d rows, want %d:\n%s", n, tt.rows, got)
			}
		})
	}
	want := fmt.Sprintf("127.0.0.1,7000,0.0.0.0,0,LISTEN,%d,%s,0,%s\n", l.Inode, pid, name)
	if got := conns(t, "-P", "-F", "lport=7000", "-o", "laddr,lport,raddr,rport,state,inode,pid,uid,process"); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestConnsJSON has the values of a table as JSON.
func TestConnsJSON(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	h.EveryState(testhost.IPv4, 80)
	table := cells(conns(t, "-o", "all"))
	lines := strings.Split(strings.TrimSuffix(conns(t, "-o", "all", "--json", "-T", "u"), "\n"), "\n")
	if len(lines) != len(table)-1 {
		t.Fatalf("%d lines of JSON, %d rows", len(lines), len(table)-1)
	}
	for i, line := range lines {
		dec := json.NewDecoder(strings.NewReader(line))
		dec.UseNumber()
		var object map[string]any
		if err := dec.Decode(&object); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if _, ok := object["time"].(json.Number); !ok || len(object) != len(table[0])+1 {
			t.Errorf("%d values and the time %v in %s", len(object)-1, object["time"], line)
		}
		for j, name := range table[0] {
			switch strings.ToLower(name) {
			case "busytime", "rwndlimited", "pacingrate", "rto": // which move on
				continue
			case "cwnd", "lost", "retranssegs", "reordering":
				switch object["state"] {
				case "SYN_SENT", "FIN_WAIT_1", "CLOSING", "LAST_ACK": // nobody answers, so they send again
					continue
				}
			}
			got := "-"
			if v := object[strings.ToLower(name)]; v != nil {
				got = fmt.Sprint(v)
			}
			if want := table[i+1][j]; got != want {
				t.Errorf("row %d: %s is %s in JSON, %s in the table", i, name, got, want)
			}
		}
	}
}

// TestConnsSort has rows in order.
func TestConnsSort(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	p := testhost.NewPair(t)
	l := p.ListenNear(netip.AddrPortFrom(testhost.NearAddr, 9000))
	for i := range 20 {
		far, _ := p.DialFar(netip.AddrPortFrom(testhost.FarAddr, uint16(20000+i)), l)
		if _, err := far.Write(make([]byte, 100*(i*7%20))); err != nil {
			t.Fatal(err)
		}
	}
	var byBytes []string
	for i := range 20 {
		byBytes = append(byBytes, fmt.Sprint(100*(19-i)))
	}
	byBytes = append(byBytes, "") // the listener
	eventually(t, func() bool { return strings.Contains(conns(t, "-P", "-o", "inbytes"), "1900\n") })
	tests := []struct {
		args string
		want []string
	}{
		{"-o inbytes --sort inbytes", byBytes},
		{"-o inbytes --sort INBYTES --top 3", byBytes[:3]},
		{"-o inbytes --sort inbytes --top 100", byBytes},
		{"-o state --sort state --top 1", []string{"ESTABLISHED"}},
		{"-o state -F rport=20000 --sort retransbytes", []string{"ESTABLISHED"}},
	}
	for _, tt := range tests {
		got := conns(t, append(strings.Fields(tt.args), "-P")...)
		if want := strings.Join(tt.want, "\n") + "\n"; got != want {
			t.Errorf("%s gives\n%swant\n%s", tt.args, got, want)
		}
	}
	table := conns(t, "-o", "rport,inbytes", "--sort", "inbytes", "--top", "1", "-T", "u", "-i", "0.01", "-c", "2")
	rows := cells(table)
	if len(rows) != 6 || rows[1][0] != "RPORT" || rows[2][1] != "1900" || rows[5][1] != "1900" {
		t.Errorf("two reports are\n%s", table)
	}
}

// TestConnsCgroup has a filter by the cgroup that this process is in.
func TestConnsCgroup(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	_, path, ok := strings.Cut(readFile(t, "/proc/self/cgroup"), "0::")
	if !ok || !strings.Contains(readFile(t, "/proc/self/mountinfo"), " - cgroup2 ") {
		testhost.SkipOrFail(t, "needs cgroup v2")
	}
	path, _, _ = strings.Cut(path, "\n")
	h := testhost.New(t)
	h.Listen(testhost.IPv4, netip.Addr{}, 80)
	h.Listen(testhost.IPv6, netip.Addr{}, 81)
	for _, filter := range []string{path, "/"} {
		if got, want := conns(t, "-P", "-o", "lport,cgroup", "-F", "cgroup="+filter, "--sort", "lport"), "81,"+path+"\n80,"+path+"\n"; got != want {
			t.Errorf("cgroup=%s gives %q, want %q", filter, got, want)
		}
	}
	if got := conns(t, "-P", "-o", "lport", "-F", "cgroup=1234567890123"); got != "" {
		t.Errorf("a cgroup that is not there has %q", got)
	}
	stdout, stderr, code := run(t, nil, "conns", "-F", "cgroup=/no/such")
	checkFailure(t, stdout, stderr, code, exitFailed, "/no/such")
}

// TestConnsClosedPipe has a reader that goes away after a line.
func TestConnsClosedPipe(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	h.EveryState(testhost.IPv4, 80)
	for _, args := range [][]string{{"-o", "all"}, {"-i", "0.01"}, {"--json", "-i", "0.01"}} {
		cmd := program(t, nil, append([]string{"conns"}, args...)...)
		var diag bytes.Buffer
		cmd.Stderr = &diag
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
			t.Fatal(err)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil || diag.Len() > 0 {
			t.Errorf("%v: %v, standard error %q", args, err, diag.String())
		}
	}
}

// TestConnsWithoutSockDiag has seccomp refuse sock_diag: what /proc/net has is
// still reported, and the rest is an error that says which.
func TestConnsWithoutSockDiag(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	h.EveryState(testhost.IPv4, 80)
	fields := "laddr,lport,raddr,rport,state,rqueue,uid,inode,pid,process"
	want := conns(t, "-o", fields)

	testhost.DenySockDiag(t)
	stdout, stderr, code := run(t, nil, "conns", "-o", fields)
	if code != exitDone || strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "warning: ") || !strings.Contains(stderr, "/proc/net") {
		t.Errorf("exit code %d, standard error %q; want one warning", code, stderr)
	}
	sameRows(t, stdout, want)
	for args, words := range map[string][]string{
		"-P -o laddr,rtt":           {"rtt", "sock_diag", "operation not permitted"},
		"--json -o all --sort rtt":  {"rtt", "sock_diag"},
		"--json -o all -F cgroup=/": {"cgroup", "sock_diag"},
		"--json --sort suna":        {"suna", "sock_diag"},
		"--json -F state=bound":     {"bound", "sock_diag"},
	} {
		stdout, stderr, code := run(t, nil, append([]string{"conns"}, strings.Fields(args)...)...)
		checkFailure(t, stdout, stderr, code, exitFailed, words...)
	}
}

// lines are what a program writes, line by line.
type lines struct {
	t   *testing.T
	in  *bufio.Scanner
	err *bytes.Buffer
}

func start(t *testing.T, cmd *exec.Cmd) lines {
	t.Helper()
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	l := lines{t, bufio.NewScanner(out), new(bytes.Buffer)}
	cmd.Stderr = l.err
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return l
}

func (l lines) next() string {
	l.t.Helper()
	if !l.in.Scan() {
		l.t.Fatalf("the output ends: %v, standard error %q", l.in.Err(), l.err.String())
	}
	return strings.Join(strings.Fields(l.in.Text()), " ")
}

func (l lines) expect(want string) {
	l.t.Helper()
	if got := l.next(); got != want {
		l.t.Errorf("got %q, want %q", got, want)
	}
}

func (l lines) match(pattern string) {
	l.t.Helper()
	if got := l.next(); !regexp.MustCompile(pattern).MatchString(got) {
		l.t.Errorf("got %q, want what matches %s", got, pattern)
	}
}

// end interrupts the program, which is not to say anything about that.
func (l lines) end(cmd *exec.Cmd) {
	l.t.Helper()
	if err := cmd.Process.Signal(syscall.SIGINT); err != nil {
		l.t.Fatal(err)
	}
	for l.in.Scan() { // the report that it is at
	}
	if err := cmd.Wait(); err != nil || l.err.Len() > 0 {
		l.t.Errorf("ended with %v, standard error %q", err, l.err.String())
	}
}

func eventually(t *testing.T, done func() bool) {
	t.Helper()
	for end := time.Now().Add(30 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("waited in vain")
		}
	}
}

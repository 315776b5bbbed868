package cli

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/l4stat/l4stat/internal/testhost"
)

// The sockets of TestConnstat, as connstat's default fields have them.
var connstatHost = map[string]string{
	"listener": "10.43.37.172 22 0.0.0.0 0 LISTEN",
	"ssh":      "10.43.37.172 22 172.16.98.16 62270 ESTABLISHED",
	"ldap":     "10.43.37.172 51275 172.16.105.4 389 CLOSE_WAIT",
	"smtp":     "127.0.0.1 25 0.0.0.0 0 LISTEN",
	"server":   "127.0.0.1 25 127.0.0.1 40025 ESTABLISHED",
	"client":   "127.0.0.1 40025 127.0.0.1 25 ESTABLISHED",
	"six":      "::1 26 :: 0 LISTEN",
}

// rowsOf gives the rows of those sockets, cut to some of the default fields.
func rowsOf(sockets string, fields ...int) []string {
	var rows []string
	for name := range strings.FieldsSeq(sockets) {
		values := strings.Fields(connstatHost[name])
		row := values
		if len(fields) > 0 {
			row = nil
			for _, f := range fields {
				row = append(row, values[f])
			}
		}
		rows = append(rows, strings.Join(row, " "))
	}
	return rows
}

// TestConnstat holds connstat's contract on real sockets: for each option what is
// written, line by line. docs/conns.md has the differences that there are.
func TestConnstat(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	p := manual(t)
	addr := netip.MustParseAddrPort
	p.DialFar(addr("172.16.98.16:62270"), p.ListenNear(addr("10.43.37.172:22")))
	_, far := p.DialNear(addr("10.43.37.172:51275"), p.ListenFar(addr("172.16.105.4:389")))
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	p.DialNear(addr("127.0.0.1:40025"), p.ListenNear(addr("127.0.0.1:25")))
	p.ListenNear(addr("[::1]:26"))
	eventually(t, func() bool { return strings.Contains(conns(t), "CLOSE_WAIT") })

	const (
		header = "LADDR LPORT RADDR RPORT STATE"
		date   = `20[0-9]{2}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-5][0-9]:[0-5][0-9]`
		unix   = `[1-9][0-9]{9}`
		all    = "listener ssh ldap smtp server client six"
	)
	table := func(head string, rows []string) []string { return append([]string{head}, rows...) }
	basic := func(sockets string) []string { return table(header, rowsOf(sockets)) }
	commas := func(lines []string) []string {
		for i := range lines {
			lines[i] = strings.ReplaceAll(lines[i], " ", ",")
		}
		return lines
	}
	// The forms of an option, separated by |, mean the same. No lines stand for an
	// error: a line on standard error, nothing else, and a code other than 0.
	tests := []struct {
		args  string
		lines []string
	}{
		{"", basic(all)},
		{"-b|--unknown", nil},
		{"-e|--established|-F state=ESTABLISHED|--filter=state=established", basic("ssh server client")},
		{"-L|--no-loopback", basic("listener ssh ldap")},
		{"-eL|-Le|--no-loopback --established", basic("ssh")},
		{"-4|--ipv4", basic("listener ssh ldap smtp server client")},
		{"-6|--ipv6", basic("six")},
		{"-4 -6|--ipv4 --ipv6", nil},

		{"-F|--filter|-F badfield=3|-F badfield|-F ,,,,|--filter badfield=3", nil},
		{"-F laddr=10.43.37.172|--filter laddr=10.43.37.172", basic("listener ssh ldap")},
		{"-F lport=25|--filter lport=25", basic("smtp server")},
		{"-F raddr=172.16.105.4|--filter raddr=172.16.105.4", basic("ldap")},
		{"-F rport=25|--filter rport=25", basic("client")},
		{"-F state=CLOSE_WAIT|--filter STATE=close_wait", basic("ldap")},
		{"-F laddr=127.0.0.1,state=LISTEN|--filter laddr=127.0.0.1,state=listen", basic("smtp")},
		{"-F lport=22,lport=25|-F laddr=127.0.0.1,raddr=::1", nil},
		{"-F state=SYN_RECEIVED|-F state=SYN_RCVD|-F state=BOUND", basic("")}, // the second is what connstat prints

		{"-o|--output|-o bad|--output bad|-o laddr,bad|-o laddr,", nil},
		{"-o rport,LADDR|--output rport,laddr", table("RPORT LADDR", rowsOf(all, 3, 0))},
		{"-F lport=22 -o laddr,rxqueue", table("LADDR RXQUEUE", []string{"10.43.37.172 0", "10.43.37.172 0"})},
		{"-F lport=25,rport=40025 -o inbytes,insegs,inunordersegs,outbytes,outsegs,retransbytes,retranssegs,suna,unsent,rxqueue",
			[]string{"INBYTES INSEGS INUNORDERSEGS OUTBYTES OUTSEGS RETRANSBYTES RETRANSSEGS SUNA UNSENT RXQUEUE", "0 0 0 0 0 0 0 0 0 0"}},

		{"-P|--parsable|-P -o all|--parsable --output ALL", nil},
		{"-P -o raddr,rport,state|--parsable --output raddr,rport,state", commas(rowsOf(all, 2, 3, 4))},
		{"-P -o lport -F rport=1", []string{}},

		{"-i|--interval|-i 0|--interval 0|-i x", nil},
		{"-c|--count|-c 0|--count 0|-c 2|--count 2|-i 1 -c|-i 1 -c 0", nil},
		{"-i 1 -c 1|--interval 1 --count 1", basic(all)},
		{"-i 1 -c 2 -F rport=25", append(basic("client"), basic("client")...)},

		{"-T|--timestamp|-T a|--timestamp a", nil},
		{"-T d|--timestamp d|--timestamp=d", table(date, basic(all))},
		{"-T u|--timestamp u|--timestamp=u", table(unix, basic(all))},
		{"-P -o raddr,rport,state -T d", table("= "+date, commas(rowsOf(all, 2, 3, 4)))},
		{"--parsable --output raddr,rport,state --timestamp u", table("= "+unix, commas(rowsOf(all, 2, 3, 4)))},
		{"-T d -i 1 -c 2 -F rport=25", append(table(date, basic("client")), table(date, basic("client"))...)},
	}

	for _, tt := range tests {
		for args := range strings.SplitSeq(tt.args, "|") {
			t.Run(args, func(t *testing.T) {
				stdout, stderr, code := run(t, []string{"LC_ALL=de_DE.UTF-8"}, append([]string{"conns"}, strings.Fields(args)...)...)
				if tt.lines == nil {
					checkFailure(t, stdout, stderr, code, exitUsage)
					return
				}
				if code != exitDone || stderr != "" {
					t.Errorf("exit code %d, standard error %q", code, stderr)
				}
				sameLines(t, stdout, tt.lines)
			})
		}
	}
}

// sameLines checks lines against patterns. Rows, which have a port, may stand in
// any order, the kernel's, between what else there is.
func sameLines(t *testing.T, text string, patterns []string) {
	t.Helper()
	var got []string
	for _, row := range cells(text) {
		got = append(got, strings.Join(row, " "))
	}
	sortRows := func(lines []string) []string {
		lines = slices.Clone(lines)
		isRow := func(line string) bool {
			return !strings.HasPrefix(line, "=") && regexp.MustCompile(`^[0-9:].*[ ,]`).MatchString(line)
		}
		for from := 0; from < len(lines); from++ {
			to := from
			for to < len(lines) && isRow(lines[to]) {
				to++
			}
			slices.Sort(lines[from:to])
			from = to
		}
		return lines
	}
	got, want := sortRows(got), sortRows(patterns)
	same := slices.EqualFunc(got, want, func(line, pattern string) bool {
		return line == pattern || regexp.MustCompile("^"+pattern+"$").MatchString(line)
	})
	if !same {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// connstatAll are the fields of connstat's "all" that Linux has, in its order.
const connstatAll = "LADDR LPORT RADDR RPORT STATE INBYTES INSEGS INUNORDERSEGS OUTBYTES OUTSEGS RETRANSBYTES RETRANSSEGS " +
	"SUNA UNSENT SWND CWND RWND MSS RTO RTT"

// procfsAll are the fields of "all" without sock_diag.
const procfsAll = "LADDR LPORT RADDR RPORT STATE RQUEUE WQUEUE UID INODE PID PROCESS"

// TestConnsAll has "all" leave out what cannot be had, and say so once, where a
// field that is asked for by name is an error.
func TestConnsAll(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	h.EveryState(testhost.IPv4, 80)
	rows := strings.Count(conns(t, "-P", "-o", "lport"), "\n")

	noCgroup := t.TempDir() // a procfs of cgroup v1 alone, and without processes
	if err := os.MkdirAll(filepath.Join(noCgroup, "self"), 0o755); err != nil {
		t.Fatal(err)
	}
	v1 := "31 23 0:27 / /sys/fs/cgroup/memory rw,nosuid shared:9 - cgroup cgroup rw,memory\n"
	if err := os.WriteFile(filepath.Join(noCgroup, "self", "mountinfo"), []byte(v1), 0o644); err != nil {
		t.Fatal(err)
	}

	type world struct {
		name     string
		env      []string
		first    string   // what the headings begin with
		without  []string // what they do not have
		warnings []string
		named    string // a field that is an error by name
	}
	check := func(t *testing.T, w world) {
		stdout, stderr, code := run(t, w.env, "conns", "-o", "all", "-i", "0.01", "-c", "2")
		table := cells(stdout)
		if code != exitDone || len(table) != 2*(1+rows) {
			t.Fatalf("exit code %d, %d lines, want twice %d rows and their headings; standard error %q", code, len(table), rows, stderr)
		}
		header := strings.Join(table[0], " ")
		if !strings.HasPrefix(header+" ", w.first+" ") {
			t.Errorf("the fields are %s, want first %s", header, w.first)
		}
		for _, name := range append(w.without, "RTTS", "RTTC", "INUNORDERBYTES") {
			if slices.Contains(table[0], name) {
				t.Errorf("the fields have %s", name)
			}
		}
		for _, row := range table {
			if len(row) != len(table[0]) {
				t.Errorf("%d values for %d fields: %v", len(row), len(table[0]), row)
			}
		}
		if n := strings.Count(stderr, "\n"); n != len(w.warnings) {
			t.Errorf("%d lines on standard error, want %d: %q", n, len(w.warnings), stderr)
		}
		for _, words := range w.warnings {
			if strings.Count(stderr, words) != 1 {
				t.Errorf("standard error does not have %q once: %q", words, stderr)
			}
		}
		if stdout, _, _ := run(t, w.env, "conns", "-o", "all", "--json"); strings.Count(stdout, "\n") != rows || w.named != "" && strings.Contains(stdout, `"`+w.named+`"`) {
			t.Errorf("%d objects, want %d without %s:\n%s", strings.Count(stdout, "\n"), rows, w.named, stdout)
		}
		if w.named != "" {
			stdout, stderr, code := run(t, w.env, "conns", "--json", "-o", "lport,"+w.named)
			checkFailure(t, stdout, stderr, code, exitFailed)
		}
	}
	for _, w := range []world{
		{name: "everything", first: connstatAll},
		{name: "cgroup v1 alone", env: []string{"HOST_PROC=" + noCgroup}, first: connstatAll, without: []string{"CGROUP"},
			warnings: []string{"all is without cgroup: " + noCgroup + "/self/mountinfo has no cgroup2"}, named: "cgroup"},
		{name: "no procfs", env: []string{"HOST_PROC=/nonexistent"}, first: connstatAll, without: []string{"CGROUP", "PID", "PROCESS"},
			warnings: []string{"all is without pid, process: ", "all is without cgroup: "}, named: "pid"},
	} {
		t.Run(w.name, func(t *testing.T) { check(t, w) })
	}

	testhost.DenySockDiag(t) // for good
	check(t, world{first: procfsAll, without: []string{"RTT", "CC", "COOKIE", "CGROUP"},
		warnings: []string{"all is without inbytes, insegs and ", "reading /proc/net instead of sock_diag"}, named: "rtt"})
	stdout, _, code := run(t, []string{"HOST_PROC=/nonexistent"}, "conns", "-o", "all", "--json")
	if stdout != "" || code != exitFailed {
		t.Errorf("without any source: exit code %d, output %q", code, stdout)
	}
}

// TestConnsInNamedNamespace has "all" by ip netns exec, which mounts a /sys of the
// namespace's own, without cgroups.
func TestConnsInNamedNamespace(t *testing.T) {
	if os.Getuid() != 0 {
		testhost.SkipOrFail(t, "ip netns needs root")
	}
	if _, err := exec.LookPath("ip"); err != nil {
		testhost.SkipOrFail(t, "needs ip (Debian: iproute2)")
	}
	name := fmt.Sprintf("l4stat-%d", os.Getpid())
	if out, err := exec.Command("ip", "netns", "add", name).CombinedOutput(); err != nil {
		testhost.SkipOrFail(t, fmt.Sprintf("ip netns add: %v: %s", err, out))
	}
	t.Cleanup(func() {
		if out, err := exec.Command("ip", "netns", "delete", name).CombinedOutput(); err != nil {
			t.Errorf("ip netns delete %s: %v: %s", name, err, out)
		}
	})
	inside := func(args ...string) (string, error) {
		l4stat := program(t, nil, append([]string{"conns"}, args...)...)
		cmd := exec.Command("ip", append([]string{"netns", "exec", name}, l4stat.Args...)...)
		cmd.Env = l4stat.Env
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	out, err := inside("-o", "all")
	if err != nil || !strings.Contains(out, "warning: all is without cgroup: ") || !strings.Contains(strings.Join(strings.Fields(out), " "), connstatAll) {
		t.Errorf("-o all: %v\n%s", err, out)
	}
	if out, err := inside("-o", "cgroup"); err == nil {
		t.Errorf("-o cgroup is no error:\n%s", out)
	}
}

// TestConnsOfOtherKernels has what is asked for by name though no Linux has it.
func TestConnsOfOtherKernels(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	h.Connect(testhost.IPv4, 6000, 5432, testhost.Established)
	for _, tt := range []struct{ args, stdout, warning string }{
		{"-P -o lport,rtts,rttc", "6000,,\n", "Linux does not keep rttc or rtts; use rtt, "},
		{"-P -o lport,inunorderbytes", "6000,\n", "Linux does not keep inunorderbytes; use inunordersegs, "},
		{"--json -o inunorderbytes --sort inunorderbytes", "{\"inunorderbytes\":null}\n", "Linux does not keep inunorderbytes; use inunordersegs, "},
		{"-P -o lport --sort rtts -i 0.01 -c 2", "6000\n6000\n", "Linux does not keep rtts; use rtt, "},
		{"-P -o lport -F state=idle", "", "does not list sockets that are IDLE or CLOSED"},
		{"-P -o lport -F state=CLOSED", "", "does not list sockets that are IDLE or CLOSED"},
	} {
		stdout, stderr, code := run(t, nil, append([]string{"conns"}, strings.Fields(tt.args)...)...)
		if code != exitDone || stdout != tt.stdout {
			t.Errorf("%s: exit code %d, output %q, want %q", tt.args, code, stdout, tt.stdout)
		}
		if strings.Count(stderr, "\n") != 1 || !strings.Contains(stderr, "warning: ") || !strings.Contains(stderr, tt.warning) {
			t.Errorf("%s: standard error %q, want one line with %q", tt.args, stderr, tt.warning)
		}
	}
}

// TestConnsTime has a script read the time that -T d writes: of now, in the zone of
// the environment.
func TestConnsTime(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"UTC", "Asia/Kolkata"} {
		location, err := time.LoadLocation(zone)
		if err != nil {
			testhost.SkipOrFail(t, "needs "+zone+" (Debian: tzdata): "+err.Error())
		}
		before := time.Now().Truncate(time.Second)
		stdout, stderr, code := run(t, []string{"TZ=" + zone}, "conns", "-P", "-o", "lport", "-F", "lport=1", "-T", "d")
		text, ok := strings.CutPrefix(strings.TrimSuffix(stdout, "\n"), "= ")
		at, err := time.ParseInLocation("2006-01-02T15:04:05", text, location)
		if code != exitDone || stderr != "" || !ok || err != nil || at.Before(before) || at.After(time.Now()) {
			t.Errorf("%s: exit code %d, standard error %q, output %q, error %v; before it was %v", zone, code, stderr, stdout, err, before.In(location))
		}
	}
}

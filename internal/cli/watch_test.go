package cli

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/l4stat/l4stat/internal/golden"
)

func TestWatchBadUsage(t *testing.T) {
	t.Parallel()
	none := configFile(t, "[[inputs.netstat]]\n")
	bad := configFile(t, "[[inputs.netstat]]\n[[inputs.netstat.addr_ports]]\nports = [\"80\", \"1.1.1.1:http\"]\n")
	const year = "give 31536000 seconds, a year, or less"
	const delay, count = "give seconds above 0, such as 1 or 0.5", "give a number of lines above 0"
	tests := []struct {
		name  string
		args  []string
		words []string
	}{
		{"unknown group", []string{"--tpc"}, []string{"--tpc", "l4stat watch --help"}},
		{"delay of nothing", []string{"0"}, []string{`delay "0"`, delay}},
		{"delay that is none", []string{"1s"}, []string{`delay "1s"`, delay}},
		{"delay that is not a number", []string{"nan"}, []string{`delay "nan"`, delay}},
		{"delay without end", []string{"inf"}, []string{`delay "inf"`, year}},
		{"delay beyond measure", []string{"1e20"}, []string{`delay "1e20"`, year}},
		{"delay beyond numbers", []string{"1e999"}, []string{`delay "1e999"`, year}},
		{"delay just beyond what a duration holds", []string{"9223372036.854776"}, []string{`delay "9223372036.854776"`, year}},
		{"delay of more than a year", []string{"31536001"}, []string{`delay "31536001"`, year}},
		{"neither true nor false", []string{"--bits=x"}, []string{`--bits "x"`, "give true or false"}},
		{"dstat's disks", []string{"-d"}, []string{"-d/--disk: ", "no disks", "iostat"}},
		{"dstat's disks among others", []string{"-tcdn"}, []string{"-d/--disk: ", "no disks", "iostat"}},
		{"dstat's list of disks", []string{"-tD", "total,sda"}, []string{"-D: ", "no disks", "iostat"}},
		{"dstat's default", []string{"-cdngy"}, []string{"-d/--disk, -g/--page, -y/--sys: ", "disks (use iostat", "paging (use vmstat", "context switches"}},
		{"dstat's -a", []string{"-a", "5"}, []string{"-a/--all: ", "no disks, paging and system counters", "-cn"}},
		{"dstat's -v", []string{"-v"}, []string{"-v/--vmstat: ", "no processes, paging", "-mc", "vmstat"}},
		{"dstat's --int, no beginning of --integer", []string{"--int"}, []string{"-i/--int: ", "no interrupts"}},
		{"dstat's --unix", []string{"--unix"}, []string{"--unix: ", "ss -x"}},
		{"a beginning of several flags", []string{"--no"}, []string{"--no", "l4stat watch --help"}},
		{"interfaces without names", []string{"-n", "-N", "eth0,,lo"}, []string{`-N "eth0,,lo"`, "commas"}},
		{"processor that is none", []string{"-c", "-C", "0,eth0"}, []string{`-C "0,eth0"`, `"eth0" is no processor`}},
		{"delay too short", []string{"0.0001"}, []string{`delay "0.0001"`, "0.001 seconds or more"}},
		{"negative delay", []string{"-1"}, []string{"-1:", "numbers above 0", "l4stat watch --help"}},
		{"negative delay with a point", []string{"--tcp", "-.5"}, []string{"-.5:", "numbers above 0"}},
		{"negative delay after two dashes", []string{"--", "-1"}, []string{`delay "-1"`, delay}},
		{"count of 0", []string{"1", "0"}, []string{`count "0"`, count}},
		{"count that is none", []string{"1", "1.5"}, []string{`count "1.5"`, count}},
		{"three arguments", []string{"1", "2", "3"}, []string{`"3"`, "give delay and count"}},
		{"output in no folder", []string{"--output", "/nonexistent/out.csv", "1", "1"}, []string{"--output", "/nonexistent/out.csv"}},
		{"output that is a folder", []string{"--output", t.TempDir(), "1", "1"}, []string{"--output", "is a directory"}},
		{"output to standard output", []string{"--output", "-", "1", "1"}, []string{"--output -", "--json"}},
		{"groups of nothing", []string{"--groups"}, []string{"--groups", "--config"}},
		{"groups of a file without", []string{"--groups", "--config", none}, []string{"--groups", none, "no addr_ports groups"}},
		{"groups of a bad file", []string{"--groups", "--config", bad}, []string{bad, "ports[1]", `"1.1.1.1:http"`}},
		{"file for nothing", []string{"--config", none}, []string{"--config " + none, "--groups"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, code := run(t, nil, append([]string{"watch"}, tt.args...)...)
			checkFailure(t, stdout, stderr, code, exitUsage, tt.words...)
		})
	}
}

// TestWatchHelp has the help name every column and where it is from.
func TestWatchHelp(t *testing.T) {
	t.Parallel()
	stdout, stderr, code := run(t, nil, "watch", "--help")
	if stderr != "" || code != exitDone {
		t.Errorf("exit code %d, standard error %q", code, stderr)
	}
	golden.Compare(t, filepath.Join("testdata", "watch-help.golden"), stdout)
}

// TestWatchPipe has one header and no colour in a pipe, the columns in the order
// of the flags, and a CSV that a stock reader opens.
func TestWatchPipe(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "out.csv")
	stdout, _, code := run(t, nil, "watch", "--udp", "-t", "--tcp", "--output", file, "0.2", "5")
	if code != exitDone {
		t.Fatalf("exit code %d", code)
	}
	lines := strings.Split(strings.TrimSuffix(stdout, "\n"), "\n")
	const header, summary = 2, 4
	if len(lines) != header+5+summary || strings.Contains(stdout, "\x1b") || strings.Contains(stdout, "\r") || strings.Count(stdout, "lis") != 2 {
		t.Fatalf("want 2 lines of header, 5 rows and 4 lines of summary, without colours; got\n%s", stdout)
	}
	if want := "---udp--- udp-per-second ----system---- ------tcp-sockets------- --tcp-per-second---"; lines[0] != want {
		t.Errorf("the header is\n%s\nwant\n%s", lines[0], want)
	}
	for _, line := range lines[2 : 2+5] {
		if len(line) != len(lines[1]) {
			t.Errorf("a row of %d characters below a header of %d:\n%s", len(line), len(lines[1]), stdout)
		}
	}

	text, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = text.Close() }()
	r := csv.NewReader(text)
	r.FieldsPerRecord = -1 // dstat's header has fewer
	records, err := r.ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	const csvHeader = 6
	if len(records) != csvHeader+5 {
		t.Fatalf("the file has %d lines, want %d", len(records), csvHeader+5)
	}
	for i, record := range records[csvHeader:] {
		if len(record) != len(records[csvHeader-1]) {
			t.Errorf("row %d has %d figures below %d names", i, len(record), len(records[csvHeader-1]))
		}
		if _, err := time.Parse("02-01 15:04:05", record[2]); err != nil {
			t.Errorf("row %d: %v", i, err)
		}
	}
}

// TestWatchOneLine has no summary of one line.
func TestWatchOneLine(t *testing.T) {
	t.Parallel()
	stdout, stderr, code := run(t, nil, "watch", "1", "1")
	if code != exitDone || stderr != "" || strings.Count(stdout, "\n") != 3 {
		t.Errorf("exit code %d, standard error %q, output\n%s", code, stderr, stdout)
	}
}

// TestWatchNoHeaders has nothing but rows and the summary.
func TestWatchNoHeaders(t *testing.T) {
	t.Parallel()
	stdout, _, code := run(t, nil, "watch", "--noheaders", "0.2", "2")
	if code != exitDone || strings.Contains(stdout, "lis") {
		t.Errorf("exit code %d, output\n%s", code, stdout)
	}
}

// TestWatchDstatHands has command lines that dstat takes be taken.
func TestWatchDstatHands(t *testing.T) {
	t.Parallel()
	const tcp, udp, cpu, mem, net = "------tcp-sockets------- --tcp-per-second---", "---udp--- udp-per-second", "--total-cpu-usage--", "-----memory-usage------", "-net/total-"
	const now, epoch = "----system----", "--epoch---"
	tests := []struct {
		args   string
		opts   string // DSTAT_OPTS
		header string // its first line
		warns  string
	}{
		{"-c", "", cpu, ""},
		{"-m", "", mem, ""},
		{"-n", "", net, ""},
		{"-t", "", now + " " + tcp + " " + udp, ""},
		{"-T", "", epoch + " " + tcp + " " + udp, ""},
		{"-tcn", "", now + " " + cpu + " " + net, ""},
		{"-ncT", "", net + " " + cpu + " " + epoch, ""},
		{"--net --epoch --cpu", "", net + " " + epoch + " " + cpu, ""},
		{"-nN lo,total,lo", "", "--net/lo--- -net/total-", ""},
		{"-n -N nosuch0", "", "net/nosuch0", "--net shows - for what cannot be read: there is no network interface nosuch0 now"},
		{"-cC total,0", "", "--total-cpu-usage-- ----cpu0-usage-----", ""},
		{"-N lo", "", tcp + " " + udp, "-N lo: this is for -n; add that"},
		{"--udp --noupdate --bytes --integer --float --color --nocolor", "", udp, ""},
		{"--ud --noup --byt --nocolo", "", udp, ""},
		{"-m", "-t", now + " " + mem, ""},
		{"-tm", "-m", mem + " " + now, ""},
		{"-m", "-td -g", now + " " + mem, "DSTAT_OPTS: -d/--disk, -g/--page: "},
		{"", "  -c\t-m ", cpu + " " + mem, ""},
	}
	for _, tt := range tests {
		t.Run(tt.args+" "+tt.opts, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, code := run(t, []string{EnvDstat + "=" + tt.opts}, append(append([]string{"watch"}, strings.Fields(tt.args)...), "0.2", "1")...)
			if header, _, _ := strings.Cut(stdout, "\n"); header != tt.header {
				t.Errorf("the header is\n%s\nwant\n%s", header, tt.header)
			}
			if code != exitDone {
				t.Errorf("exit code %d", code)
			}
			if (tt.warns == "") != (stderr == "") || !strings.Contains(stderr, tt.warns) {
				t.Errorf("standard error is %q, want %q", stderr, tt.warns)
			}
		})
	}
}

// TestWatchDstatEnds has what ends at once.
func TestWatchDstatEnds(t *testing.T) {
	t.Parallel()
	stdout, stderr, code := run(t, nil, "watch", "--list")
	if code != exitDone || stderr != "" || strings.Count(stdout, "\n") != 11 {
		t.Errorf("--list: exit code %d, standard error %q, output\n%s", code, stderr, stdout)
	}
	for _, line := range []string{"--tcp ", "-n, --net ", "-t, --time ", "-T, --epoch ", "--groups "} {
		if !strings.Contains("\n"+stdout, "\n"+line) {
			t.Errorf("--list has no line of %s:\n%s", line, stdout)
		}
	}
	want, _, _ := run(t, nil, "--version")
	for _, flag := range []string{"--version", "-V", "--vers"} {
		if stdout, stderr, code := run(t, nil, "watch", flag); stdout != want || stderr != "" || code != exitDone {
			t.Errorf("%s: exit code %d, standard error %q, output %q, want %q", flag, code, stderr, stdout, want)
		}
	}
	for opts, word := range map[string]string{"--top-cpu": "--top-cpu", "-N": "'N'", "1 2": `"3" is one argument too many`} {
		stdout, stderr, code := run(t, []string{EnvDstat + "=" + opts}, "watch", "3")
		if opts != "1 2" {
			checkFailure(t, stdout, stderr, code, exitUsage, EnvDstat+"="+`"`+opts+`"`, word, EnvDstat+"= l4stat watch")
		} else {
			checkFailure(t, stdout, stderr, code, exitUsage, word)
		}
	}
	// The delay and the count may be there as well.
	if stdout, _, code := run(t, []string{EnvDstat + "=-m 0.2"}, "watch", "2"); code != exitDone || strings.Count(stdout, "\n") != 2+2+4 {
		t.Errorf("a delay of %s and a count: exit code %d, output\n%s", EnvDstat, code, stdout)
	}
}

// TestWatchStyle has colours, headers and decimals as flags say, of flags that
// contradict each other the last.
func TestWatchStyle(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		args    string
		colors  bool
		pattern string // that the first figure of --mem has
	}{
		{"", false, `^ *[0-9.]+[BkMGT]$`},
		{"--color", true, `^ *[0-9.]+$`},
		{"--color --nocolor", false, `^ *[0-9.]+[BkMGT]$`},
		{"--nocolor --color", true, `^ *[0-9.]+$`},
		{"--integer", false, `^ *[0-9]+[BkMGT]$`},
		{"--float --integer", false, `^ *[0-9]+[BkMGT]$`},
	} {
		stdout, stderr, code := run(t, []string{"NO_COLOR=1"}, append([]string{"watch", "--mem", "--noheader", "1", "1"}, strings.Fields(tt.args)...)...)
		if code != exitDone || stderr != "" || strings.Count(stdout, "\n") != 1 {
			t.Fatalf("%s: exit code %d, standard error %q, output\n%s", tt.args, code, stderr, stdout)
		}
		if got := strings.Contains(stdout, "\x1b["); got != tt.colors {
			t.Errorf("%s: colours are %v in %q", tt.args, got, stdout)
		}
		for _, figure := range strings.Fields(stdout) {
			if !tt.colors && !regexp.MustCompile(tt.pattern).MatchString(figure) {
				t.Errorf("%s: a figure is %q, want %s", tt.args, figure, tt.pattern)
			}
		}
	}
}

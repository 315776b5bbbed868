package cli

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWatchBadUsage(t *testing.T) {
	t.Parallel()
	none := configFile(t, "[[inputs.netstat]]\n")
	bad := configFile(t, "[[inputs.netstat]]\n[[inputs.netstat.addr_ports]]\nports = [\"80\", \"1.1.1.1:http\"]\n")
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
		{"delay without end", []string{"inf"}, []string{`delay "inf"`, delay}},
		{"delay beyond measure", []string{"1e20"}, []string{`delay "1e20"`, delay}},
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
	path := filepath.Join("testdata", "watch-help.golden")
	if *update {
		if err := os.WriteFile(path, []byte(stdout), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if stdout != string(want) {
		t.Errorf("differs from %s (go test -update writes it anew):\n%s", path, stdout)
	}
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

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestClaims(t *testing.T) {
	sections := []section{
		{Claims: []claim{{What: "a", Value: 1.15, Bound: 1.15}, {What: "b", Value: 1.16, Bound: 1.15}}},
		{Claims: []claim{{What: "c", Value: 25, Bound: 25, Least: true}, {What: "d", Value: 24.9, Bound: 25, Least: true, Unit: " MiB"}}},
	}
	var b bytes.Buffer
	if failed := writeClaims(&b, sections); failed != 2 {
		t.Errorf("%d claims failed, want b and d", failed)
	}
	for _, line := range []string{"| a | at most 1.15 | 1.15 | yes |", "| d | at least 25 MiB | 24.9 MiB | **no** |"} {
		if !strings.Contains(b.String(), line) {
			t.Errorf("no line %s in\n%s", line, b.String())
		}
	}
}

func TestFigure(t *testing.T) {
	for x, want := range map[float64]string{0: "0", 1: "1", 0.9449: "0.94", 1.156: "1.16", 12.34: "12.3", 99.96: "100.0", 1234.5: "1,235", 10072267: "10,072,267"} {
		if got := figure(x); got != want {
			t.Errorf("%v is %s, want %s", x, got, want)
		}
	}
}

func TestRatio(t *testing.T) {
	// The second round was slow for both.
	ours := series{{wall: 2 * time.Second}, {wall: 20 * time.Second}, {wall: 3 * time.Second}}
	base := series{{wall: time.Second}, {wall: 10 * time.Second}, {wall: time.Second}}
	if r := ours.ratio(base, wall); r != 2 {
		t.Errorf("the ratio is %v, want 2", r)
	}
	if m := ours.of(wall); m != 3 {
		t.Errorf("the median is %v, want 3", m)
	}
}

func TestLinearity(t *testing.T) {
	var straight, squared []float64
	for _, n := range sizes {
		x := float64(n)
		straight, squared = append(straight, 3+0.5*x), append(squared, x*x)
	}
	if r := linearity(straight); r < 0.9999 {
		t.Errorf("a line has R² %v", r)
	}
	if r := linearity(squared); r > 0.95 {
		t.Errorf("a parabola has R² %v", r)
	}
}

func TestParseRow(t *testing.T) {
	row, err := parseRow("netstat_port,addr_port=127.1.0.1:8000,host=h,ip_version=4 pid=7i,tcp_listen=1i 1795327511000000000")
	if err != nil || row.measurement != "netstat_port" || row.addrPort != "127.1.0.1:8000" || row.version != "4" ||
		row.fields["pid"] != 7 || row.fields["tcp_listen"] != 1 || row.time.Unix() != 1795327511 {
		t.Errorf("got %+v, error %v", row, err)
	}
	for _, line := range []string{"", "netstat,ip_version=4 tcp_listen=1i", "netstat,ip_version=4 tcp_listen=x 1"} {
		if row, err := parseRow(line); err == nil {
			t.Errorf("%q is %+v", line, row)
		}
	}
}

// TestStressCheck has counts that the counters allow, and ones that they do not.
func TestStressCheck(t *testing.T) {
	begin := time.Unix(100, 0)
	// In between, 10 connections began and 4 ended, 3 TIME_WAITs began and 5 ended.
	before := counters{end: begin.Add(-1), opened: [2]int{1000, 1000}, waited: [2]int{50, 50}, inUse: [2]int{100, 20}, timeWait: 30, udp: [2]int{5, 0}}
	after := counters{start: begin.Add(2), end: begin.Add(3), opened: [2]int{1010, 1010}, waited: [2]int{53, 53}, inUse: [2]int{106, 20}, timeWait: 28, udp: [2]int{5, 0}}
	tests := []struct {
		name                       string
		established, timeWait, udp int
		outside                    int
	}{
		{"the least", 96, 25, 5, 0},
		{"the most", 110, 33, 5, 0},
		{"TCP too few", 95, 30, 5, 1},
		{"TCP too many", 111, 30, 5, 1},
		{"TIME_WAIT too few", 100, 24, 5, 1},
		{"TIME_WAIT too many", 100, 34, 5, 1},
		{"UDP", 100, 30, 6, 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := stressRun{begin: time.Now(), still: map[string]map[string]int{}}
			g := gatherRows{received: begin.Add(1), rows: []row{
				{version: "4", time: begin, fields: map[string]int{"tcp_established": tt.established, "tcp_time_wait": tt.timeWait, "tcp_syn_recv": 9, "udp_socket": tt.udp}},
				{version: "6", time: begin, fields: map[string]int{"tcp_established": 20}},
			}}
			if err := r.check(g, &watch{read: []counters{before, after}}); err != nil {
				t.Fatal(err)
			}
			if r.outside != tt.outside {
				t.Errorf("%d counts are outside, want %d", r.outside, tt.outside)
			}
		})
	}
}

func TestStressStill(t *testing.T) {
	r := stressRun{still: map[string]map[string]int{}}
	gather := func(listen, network int) gatherRows {
		return gatherRows{rows: []row{{}, {},
			{addrPort: "127.1.0.1:8000", fields: map[string]int{"tcp_listen": listen}},
			{addrPort: "127.1.0.0/16:8000", fields: map[string]int{"tcp_listen": network}},
		}}
	}
	for _, g := range []gatherRows{gather(1, 1), gather(1, 2), gather(2, 3)} {
		r.checkStill(g)
	}
	if r.stillRows != 3 || r.changed != 1 {
		t.Errorf("%d rows, %d changed; want 3 and 1", r.stillRows, r.changed)
	}
}

func TestReplaceReport(t *testing.T) {
	path := filepath.Join(t.TempDir(), "performance.md")
	if err := os.WriteFile(path, []byte("head\n"+beginReport+"old\n"+endReport+"tail\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := replaceReport(path, func(string) string { return "new\n" }); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if want := "head\n" + beginReport + "\nnew\n" + endReport + "tail\n"; err != nil || string(text) != want {
		t.Errorf("got %q, error %v; want %q", text, err, want)
	}
	if err := os.WriteFile(path, []byte("no marks"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := replaceReport(path, func(string) string { return "new\n" }); err == nil {
		t.Error("no error where there is no place for the report")
	}
}

func TestUpdateReport(t *testing.T) {
	first := section{Title: "A", Text: "a", Header: []string{"", "x"}, Rows: [][]string{{"r", "1"}}, Claims: []claim{{What: "is a", Value: 1, Bound: 2}}}
	second := section{Title: "B", Text: "b", Header: []string{"", "x"}, Rows: [][]string{{"r", "2"}}, Claims: []claim{{What: "is b", Value: 1, Bound: 2}}}
	var b bytes.Buffer
	b.WriteString("where\n\n")
	first.write(&b)
	second.write(&b)
	writeClaims(&b, []section{first, second})
	once := b.String()

	first.Text, first.Claims[0].Value = "anew", 3
	third := section{Title: "C", Text: "c", Header: []string{"", "x"}, Claims: []claim{{What: "is c", Value: 1, Bound: 2}}}
	got := updateReport(once, []section{first, third})
	if twice := updateReport(got, []section{first, third}); twice != got {
		t.Errorf("a second time it changes from\n%s\nto\n%s", got, twice)
	}
	want := strings.NewReplacer("a\n\n|  | x", "anew Measured apart: "+machine()+"\n\n|  | x", "| is a | at most 2 | 1 | yes |", "| is a | at most 2 | 3 | **no** |",
		"### What", "### C\n\nc Measured apart: "+machine()+"\n\n|  | x |\n|---|--:|\n\n### What", "| is b | at most 2 | 1 | yes |\n", "| is b | at most 2 | 1 | yes |\n| is c | at most 2 | 1 | yes |\n").Replace(once)
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

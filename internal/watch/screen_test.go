package watch

import (
	stdbytes "bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"

	"github.com/l4stat/l4stat/netstat"
)

// some are samples of every group, without rates in the first.
func some(blocks []*Block) []*Sample {
	at := time.Date(2026, 11, 22, 10, 49, 38, 123456789, time.Local)
	var all []*Sample
	for n := range 3 {
		s := &Sample{Time: at.Add(time.Duration(n) * time.Second), Elapsed: time.Second}
		if n == 0 {
			s.Elapsed = 0
		}
		for _, b := range blocks {
			var values []float64
			for j, c := range b.Columns {
				v := math.Trunc(float64(n) * math.Pow(7, float64(j+n)) * 1.5)
				switch {
				case c.time():
					v = float64(s.Time.UnixNano()) / 1e9
				case c.kind != gauge && n == 0:
					v = unknown
				case c.unit == percent:
					v = float64(20*j) + 0.25
				case c.kind == rate && n == 1:
					v += 0.4561
				}
				values = append(values, v)
			}
			s.Values = append(s.Values, values)
		}
		all = append(all, s)
	}
	return all
}

// write has an output write samples and their summary.
func write(t *testing.T, out Output, blocks []*Block, samples []*Sample) {
	t.Helper()
	sum := newSummary(blocks)
	for _, s := range samples {
		sum.add(s)
		if err := out.Row(s); err != nil {
			t.Fatal(err)
		}
	}
	if err := out.End(sum); err != nil {
		t.Fatal(err)
	}
}

var escapes = regexp.MustCompile("\x1b\\[[0-9;]*m|\r")

func TestScreen(t *testing.T) {
	t.Parallel()
	all := blocksOf(Groups()...)
	l4 := blocksOf(newTCP(), newUDP())
	timed := blocksOf(newTime(), newTCP(), newUDP(), newNet())
	apart := blocksOf(newEpoch(), newNet().Of([]string{"eth0", "veth1234abcd", "a\x1b[31m", Total}), newCPU().Of([]string{"0", Total}))
	size := func(width, height int) func() (int, int) { return func() (int, int) { return width, height } }
	tests := []struct {
		name   string
		blocks []*Block
		screen Screen
	}{
		{"pipe", l4, Screen{}},
		{"pipe-all", all, Screen{}},
		{"pipe-bits", timed, Screen{Style: Style{Bits: true}}},
		{"pipe-noheaders", l4, Screen{NoHeaders: true}},
		{"terminal-80", l4, Screen{Size: size(80, 24), Color: true}},
		{"terminal-80-all", all, Screen{Size: size(80, 24)}},
		{"terminal-200-all", all, Screen{Size: size(200, 24)}},
		{"terminal-exact", l4, Screen{Size: size(73, 24)}},
		{"terminal-one-less", l4, Screen{Size: size(72, 24)}},
		{"terminal-40", l4, Screen{Size: size(40, 24)}},
		{"terminal-40-all", all, Screen{Size: size(40, 24)}},
		{"terminal-apart", apart, Screen{Size: size(80, 24), Style: Style{Decimals: AllDecimals}}},
		{"terminal-20", l4, Screen{Size: size(20, 24)}},
		{"terminal-5", l4, Screen{Size: size(5, 24)}},
		{"terminal-low", l4, Screen{Size: size(80, 4)}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var out stdbytes.Buffer
			s := tt.screen
			s.W, s.Blocks = &out, tt.blocks
			write(t, &s, tt.blocks, some(tt.blocks))
			compareGolden(t, tt.name+".golden", out.String())
			if s.Color != strings.Contains(out.String(), "\x1b") {
				t.Errorf("colours are %v, want %v", !s.Color, s.Color)
			}
			if s.Size != nil {
				width, _ := s.Size()
				checkWidth(t, out.String(), width)
			}
		})
	}
}

// checkWidth checks that no line is wider than the terminal, which would wrap it.
func checkWidth(t *testing.T, text string, width int) {
	t.Helper()
	for line := range strings.Lines(escapes.ReplaceAllString(text, "")) {
		if n := utf8.RuneCountInString(strings.TrimSuffix(line, "\n")); n > width {
			t.Errorf("a line has %d characters, the terminal %d: %q", n, width, line)
		}
	}
}

// TestScreenResize changes the terminal below a run to every width.
func TestScreenResize(t *testing.T) {
	t.Parallel()
	blocks := blocksOf(Groups()...)
	samples := some(blocks)
	var out stdbytes.Buffer
	width := 1
	s := &Screen{W: &out, Blocks: blocks, Size: func() (int, int) { return width, 24 }, Color: true}
	for ; width <= 230; width++ {
		out.Reset()
		if err := s.Row(samples[width%3]); err != nil {
			t.Fatal(err)
		}
		checkWidth(t, out.String(), width)
	}
	if strings.Contains(out.String(), "no room") || len(s.left) > 0 {
		t.Errorf("230 columns have no room for %q", s.left)
	}
}

// TestHeaderAgain has a header on each screen.
func TestHeaderAgain(t *testing.T) {
	t.Parallel()
	blocks := blocksOf(newUDP())
	samples := some(blocks)
	for _, height := range []int{1, 3, 5, 24} {
		var out stdbytes.Buffer
		s := &Screen{W: &out, Blocks: blocks, Size: func() (int, int) { return 80, height }}
		for range 100 {
			if err := s.Row(samples[1]); err != nil {
				t.Fatal(err)
			}
		}
		lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
		shown := max(height-1, 3) // the cursor is on the last line of the screen
		for i := range len(lines) - shown + 1 {
			screen := strings.Join(lines[i:i+shown], "\n")
			if !strings.Contains(screen, "lis") {
				t.Fatalf("on %d lines there is a screen without header:\n%s", height, screen)
			}
		}
	}
}

func TestJSON(t *testing.T) {
	t.Parallel()
	blocks := blocksOf(newTime(), newTCP(), newCPU(), newUDP())
	samples := some(blocks)
	for _, s := range samples {
		s.Time = s.Time.UTC().Truncate(time.Hour * 24)
	}
	var out stdbytes.Buffer
	write(t, &JSON{W: &out, Blocks: blocks}, blocks, samples)
	compareGolden(t, "json.golden", out.String())
	checkJSON(t, out.Bytes())

	blocks = blocksOf(newEpoch(), newNet().Of([]string{"eth0", "a\"b\x1b", Total}), newUDP())
	out.Reset()
	if err := (&JSON{W: &out, Blocks: blocks}).Row(some(blocks)[2]); err != nil {
		t.Fatal(err)
	}
	checkJSON(t, out.Bytes())
	if got, want := out.String(), `,"net":{"eth0":{"recv":147,"send":1029},"a\"b\\x1b":{"recv":147,"send":1029},"total":{"recv":147,"send":1029}},"udp":{`; !strings.Contains(got, want) {
		t.Errorf("items apart are\n%s\nwant\n%s", got, want)
	}
}

func TestCSV(t *testing.T) {
	t.Parallel()
	blocks := blocksOf(newTCP(), newUDP(), newSocket(), newNet(), newCPU(), newMem(), newTime())
	path := filepath.Join(t.TempDir(), "out.csv")
	for n := range 2 {
		c, err := OpenCSV(path, blocks, `l4stat watch --output "a b.csv"`, func(text string) { t.Error(text) })
		if err != nil {
			t.Fatal(err)
		}
		write(t, c, blocks, some(blocks)[n:])
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	compareGolden(t, "csv.golden", withoutHost(string(text)))
}

// withoutHost takes out of dstat's header what differs from host to host.
func withoutHost(text string) string {
	for _, pattern := range []string{`"Host:",("[^"]*")`, `"User:",("[^"]*")`, `"Date:",("[^"]*")`} {
		re := regexp.MustCompile(pattern)
		text = re.ReplaceAllStringFunc(text, func(s string) string {
			name, _, _ := strings.Cut(s, ",")
			return name + `,"..."`
		})
	}
	return text
}

// TestCSVFull has a file that takes nothing.
func TestCSVFull(t *testing.T) {
	t.Parallel()
	blocks := blocksOf(newUDP())
	var warnings []string
	c, err := OpenCSV("/dev/full", blocks, "l4stat watch", func(text string) { warnings = append(warnings, text) })
	if os.IsNotExist(err) {
		t.Skip("this system has no /dev/full")
	}
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range some(blocks) {
		if err := c.Row(s); err != nil {
			t.Errorf("the run ends with %v, want the screen to go on", err)
		}
	}
	if err := c.End(nil); err == nil || !strings.Contains(err.Error(), "no space left on device") {
		t.Errorf("at the end the error is %v", err)
	}
	if got := fmt.Sprint(len(warnings)); got != "1" {
		t.Errorf("there are %s warnings, want 1: %q", got, warnings)
	}
}

// TestWideNames has columns of names in wide characters be aligned.
func TestWideNames(t *testing.T) {
	t.Parallel()
	g, err := NewPorts([]netstat.Config{{Groups: []netstat.Group{
		{Ports: []string{"80"}, Tags: map[string]string{"service": "网页"}},
		{Ports: []string{"53"}, Tags: map[string]string{"service": "域名"}},
		{Ports: []string{"443"}, Tags: map[string]string{"service": "非常非常长的名字"}},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	var out stdbytes.Buffer
	write(t, &Screen{W: &out, Blocks: g.Blocks}, g.Blocks, some(g.Blocks))
	compareGolden(t, "wide.golden", out.String())
	lines := strings.Split(out.String(), "\n")
	for _, line := range lines[1:5] {
		if got, want := runewidth.StringWidth(line), runewidth.StringWidth(lines[0]); got != want {
			t.Errorf("a line is %d wide below a title of %d:\n%s", got, want, out.String())
		}
	}
}

func TestFold(t *testing.T) {
	for _, tt := range []struct {
		text  string
		width int
		want  string
	}{
		{"a late line: its rates", 0, "a late line: its rates"},
		{"a late line: its rates", 40, "a late line: its rates"},
		{"a late line: its rates", 11, "a late|line: its|rates"},
		{"a late line: its rates", 12, "a late line:|its rates"},
		{"an uncommonly long word", 5, "an|uncom|long|word"},
		{"", 5, ""},
	} {
		if got := strings.Join(Fold(tt.text, tt.width), "|"); got != tt.want {
			t.Errorf("%q in %d columns is %q, want %q", tt.text, tt.width, got, tt.want)
		}
	}
}

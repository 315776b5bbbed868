package watch

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
)

// Screen writes samples as dstat does: a line each, below a header of two lines.
type Screen struct {
	W      io.Writer
	Blocks []*Block
	// Size gives the terminal's width and height; nil is no terminal, which has
	// room for everything and one header.
	Size      func() (width, height int)
	Color     bool
	NoHeaders bool
	Bits      bool // show bits per second rather than bytes

	width  int      // what the layout is for
	shown  []partOf // the layout
	left   []string // groups that it has no room for
	lines  int      // since the header
	buffer strings.Builder
}

// partOf is a block, or those of its columns that there is room for.
type partOf struct {
	block   int
	columns []Column
}

// labels have room at the right of the lines of a summary.
var labels = [...]string{" min", " avg", " max"}

const labelWidth = 4

// Row writes a line, and the header where it is due.
func (s *Screen) Row(sample *Sample) error {
	s.header()
	s.line(sample.Values, "")
	s.lines++
	return s.flush()
}

// End writes the minimum, the average and the maximum of each column. Those of one
// line are that line.
func (s *Screen) End(sum *Summary) error {
	if sum.Samples < 2 {
		return nil
	}
	if s.Size != nil {
		s.buffer.WriteByte('\r') // over the terminal's ^C
	}
	s.header()
	s.note(fmt.Sprintf("-- minimum, average and maximum of %d samples in %v", sum.Samples, sum.Time.Round(100*time.Millisecond)))
	for i, values := range [][][]float64{sum.Min, sum.Avg, sum.Max} {
		s.line(values, labels[i])
	}
	return s.flush()
}

func (s *Screen) flush() error {
	text := s.buffer.String()
	s.buffer.Reset()
	_, err := io.WriteString(s.W, text)
	return err
}

// header writes the two lines above the figures where they are due: at first, on
// each screen of a terminal, and when the terminal has become another width.
func (s *Screen) header() {
	width, height := 0, 0
	if s.Size != nil {
		width, height = s.Size()
	}
	again := width != s.width
	if s.shown == nil || again {
		s.width = width
		was := s.left
		s.layout()
		if !slices.Equal(s.left, was) {
			s.noteLeft()
		}
		s.lines = 0
	}
	const header = 2
	if s.Size != nil && s.lines >= max(height-header-1, 1) { // the cursor has a line too
		s.lines = 0
	}
	if s.lines > 0 || s.NoHeaders {
		return
	}
	var titles, names []string
	for _, p := range s.shown {
		w := 0
		var parts []string
		for _, c := range p.columns {
			w += 1 + c.width()
			parts = append(parts, s.paint(underlined, c.title()))
		}
		titles = append(titles, s.paint(plain, center(s.Blocks[p.block].Title, max(w-1, 0))))
		names = append(names, strings.Join(parts, " "))
	}
	s.write(strings.Join(titles, " "))
	s.write(strings.Join(names, s.paint(plain, "|")))
}

// layout finds the blocks that the terminal has room for. Those at the right are
// left out first, and where not even the first block fits, its columns.
func (s *Screen) layout() {
	s.shown, s.left = s.shown[:0], nil
	used := 0
	full := false
	for i, b := range s.Blocks {
		w := len(b.Columns) - 1
		for _, c := range b.Columns {
			w += c.width()
		}
		if i > 0 {
			w++
		}
		if s.width == 0 || !full && used+w+labelWidth <= s.width {
			s.shown = append(s.shown, partOf{i, b.Columns})
			used += w
			continue
		}
		full = true
		if i > 0 {
			s.left = append(s.left, b.Title)
			continue
		}
		columns := b.Columns
		for w+labelWidth > s.width && len(columns) > 0 {
			last := columns[len(columns)-1]
			columns = columns[:len(columns)-1]
			w -= last.width() + 1
		}
		s.shown = append(s.shown, partOf{i, columns})
		names := make([]string, 0, len(b.Columns)-len(columns))
		for _, c := range b.Columns[len(columns):] {
			names = append(names, c.Name)
		}
		s.left = append(s.left, b.Title+" ("+strings.Join(names, " ")+")")
	}
}

// noteLeft says what there is no room for.
func (s *Screen) noteLeft() {
	if len(s.left) == 0 {
		s.note("-- all columns have room now")
		return
	}
	s.note(fmt.Sprintf("-- no room in %d columns for: %s", s.width, strings.Join(s.left, ", ")))
}

// note writes words, in as many lines as the terminal needs.
func (s *Screen) note(text string) {
	for _, line := range Fold(text, s.width) {
		s.write(line)
	}
}

// Fold cuts text between words into lines that are no wider than width, 0 being
// any, and cuts off what of a word is wider.
func Fold(text string, width int) []string {
	if width <= 0 {
		return []string{text}
	}
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && runewidth.StringWidth(line)+1+runewidth.StringWidth(word) > width {
			lines = append(lines, line)
			line = ""
		}
		if line != "" {
			line += " "
		}
		line += runewidth.Truncate(word, width, "")
	}
	return append(lines, line)
}

// cut shortens text that is wider than the terminal.
func (s *Screen) cut(text string) string {
	if s.width > 0 {
		return runewidth.Truncate(text, s.width, "")
	}
	return text
}

// line writes figures, and a label at their right.
func (s *Screen) line(values [][]float64, label string) {
	var blocks []string
	for _, p := range s.shown {
		var parts []string
		for j, c := range p.columns {
			text, m := c.format(values[p.block][j], s.Bits)
			parts = append(parts, s.paint(byMagnitude[m], text))
		}
		blocks = append(blocks, strings.Join(parts, " "))
	}
	s.write(strings.Join(blocks, s.paint(plain, "|")) + s.cut(label))
}

func (s *Screen) write(line string) {
	s.buffer.WriteString(line)
	s.buffer.WriteByte('\n')
}

// The colours, as parameters of the terminal's SGR sequence.
const (
	plain      = "34" // blue
	underlined = "4;34"
)

// byMagnitude colours figures: grey, green, yellow, red, magenta.
var byMagnitude = [...]string{noMagnitude: "90", ones: "32", thousands: "33", millions: "31", more: "35"}

func (s *Screen) paint(color, text string) string {
	if !s.Color {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// center puts a title in the middle of dashes, as dstat does.
func center(title string, width int) string {
	title = strings.ReplaceAll(title, " ", "-")
	n := runewidth.StringWidth(title)
	if n > width {
		title = runewidth.Truncate(title, width, "")
		n = runewidth.StringWidth(title)
	}
	left := (width - n) / 2
	return strings.Repeat("-", left) + title + strings.Repeat("-", width-n-left)
}

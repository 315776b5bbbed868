package watch

import (
	"fmt"
	"io"
	"math"
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
	Style     Style

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
		titles = append(titles, s.paint(plain, center(s.Blocks[p.block].title(w-1), w-1)))
		names = append(names, strings.Join(parts, " "))
	}
	s.write(strings.Join(titles, " "))
	s.write(strings.Join(names, s.paint(plain, "|")))
}

// layout fills the terminal: with the blocks that fit whole, those at the left
// first, and then with columns of those that do not.
func (s *Screen) layout() {
	s.shown, s.left = make([]partOf, 0, len(s.Blocks)), nil
	room := s.width - labelWidth + 1 // nothing separates the first block from one before it
	if s.width == 0 {
		room = math.MaxInt
	}
	fit := make([]int, len(s.Blocks)) // how many columns of each
	for i, b := range s.Blocks {
		w := 0
		for _, c := range b.Columns {
			w += 1 + c.width()
		}
		if w <= room {
			room -= w
			fit[i] = len(b.Columns)
		}
	}
	for i, b := range s.Blocks {
		for _, c := range b.Columns[fit[i]:] {
			if 1+c.width() > room {
				break
			}
			room -= 1 + c.width()
			fit[i]++
		}
	}
	for i, b := range s.Blocks {
		if fit[i] > 0 {
			s.shown = append(s.shown, partOf{i, b.Columns[:fit[i]]})
		}
		if fit[i] < len(b.Columns) {
			s.left = append(s.left, b.rest(fit[i]))
		}
	}
}

// rest names a block, or its columns from the nth on.
func (b *Block) rest(n int) string {
	if n == 0 {
		return b.Title
	}
	var names []string
	for _, c := range b.Columns[n:] {
		names = append(names, c.Name)
	}
	return b.Title + " (" + strings.Join(names, " ") + ")"
}

// title is the block's title, or its item alone where there is no room for more.
func (b *Block) title(width int) string {
	if b.item != "" && runewidth.StringWidth(b.Title) > width {
		return b.item
	}
	return b.Title
}

// noteLeft says what there is no room for.
func (s *Screen) noteLeft() {
	if len(s.left) == 0 {
		s.note("-- all columns have room now")
		return
	}
	const most = 10 // there may be a block for each of a thousand interfaces
	left := strings.Join(s.left[:min(len(s.left), most)], ", ")
	if more := len(s.left) - most; more > 0 {
		left += fmt.Sprintf(" and %d more", more)
	}
	s.note(fmt.Sprintf("-- no room in %d columns for: %s", s.width, left))
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
			text, m := c.format(values[p.block][j], s.Style)
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

package watch

import (
	"fmt"
	"math"
	"strconv"
	"time"

	"github.com/mattn/go-runewidth"
)

// timeLayout is dstat's.
const timeLayout = "02-01 15:04:05"

// width is how many characters a column has, its unit's letter included.
func (c *Column) width() int {
	w := 4
	switch c.unit {
	case bytes:
		w = 5
	case percent:
		w = 3
	case clock:
		w = len(timeLayout)
	case epoch:
		w = 10
	}
	return max(w, runewidth.StringWidth(c.Name))
}

// letter reports whether the column ends in a place for a unit's letter.
func (c *Column) letter() bool { return c.unit == count || c.unit == bytes }

// title puts the column's name above its digits.
func (c *Column) title() string {
	if c.letter() && runewidth.StringWidth(c.Name) < c.width() {
		return runewidth.FillLeft(c.Name, c.width()-1) + " "
	}
	return runewidth.FillLeft(c.Name, c.width())
}

// magnitude is what colours a figure.
type magnitude int

const (
	noMagnitude magnitude = iota // zero, unknown, or no number
	ones                         // and percents below 34
	thousands                    // and percents below 67
	millions                     // and percents from 67
	more
)

// Style says how a Screen writes figures.
type Style struct {
	Bits     bool // bits rather than bytes per second
	Decimals Decimals
}

// Decimals says how many decimals figures have.
type Decimals int

// The decimals.
const (
	SomeDecimals Decimals = iota // one, where the figure is no integer and there is room
	NoDecimals                   // as dstat --integer
	AllDecimals                  // as many as there is room for, as dstat --float
)

// format writes a figure in the column's width.
func (c *Column) format(v float64, s Style) (string, magnitude) {
	w := c.width()
	if c.letter() {
		w--
	}
	switch {
	case math.IsNaN(v):
		text := fmt.Sprintf("%*s", w, "-")
		if c.letter() {
			text += " "
		}
		return text, noMagnitude
	case c.unit == clock:
		return time.UnixMicro(int64(v * 1e6)).Format(timeLayout), noMagnitude
	case c.unit == epoch:
		return fmt.Sprintf("%*.0f", w, math.Floor(v)), noMagnitude
	case c.unit == percent:
		m := min(ones+magnitude(v/34), millions)
		if v == 0 {
			m = noMagnitude
		}
		decimals := NoDecimals
		if s.Decimals == AllDecimals {
			decimals = AllDecimals
		}
		text, _ := digits(v, w, 1000, decimals)
		return fmt.Sprintf("%*s", w, text), m
	}
	base, letters := 1000.0, " kMGTPE"
	if c.unit == bytes {
		base, letters = 1024, "BkMGTPE"
		if s.Bits {
			base, letters, v = 1000, "bkMGTPE", v*8
		}
	}
	text, power := digits(v, w, base, s.Decimals)
	if v == 0 {
		return fmt.Sprintf("%*s ", w, text), noMagnitude
	}
	return fmt.Sprintf("%*s%c", w, text, letters[min(power, len(letters)-1)]), min(ones+magnitude(power), more)
}

// digits writes a number in that width, after dividing it by the base as often as
// it takes.
func digits(v float64, width int, base float64, d Decimals) (text string, power int) {
	for ; ; power++ {
		most := 0
		switch {
		case d == AllDecimals && v != 0:
			most = width - 2 // beside a digit and the point
		case d == SomeDecimals && (v != math.Trunc(v) || power > 0):
			most = 1
		}
		for ; most >= 0; most-- {
			if text = strconv.FormatFloat(v, 'f', most, 64); len(text) <= width {
				return text, power
			}
		}
		v /= base
	}
}

// exact writes a figure for programs: an integer as it is, else three decimals.
// An unknown one is "".
func exact(v float64) string {
	switch {
	case math.IsNaN(v):
		return ""
	case v == math.Trunc(v):
		return strconv.FormatFloat(v, 'f', 0, 64)
	default:
		return strconv.FormatFloat(v, 'f', 3, 64)
	}
}

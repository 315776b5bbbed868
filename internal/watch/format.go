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

// format writes a figure in the column's width. Bits are shown for bytes.
func (c *Column) format(v float64, bits bool) (string, magnitude) {
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
	case c.unit == percent:
		m := min(ones+magnitude(v/34), millions)
		text := fmt.Sprintf("%*.0f", w, v)
		if v == 0 {
			m = noMagnitude
		}
		return text, m
	}
	base, letters := 1000.0, " kMGTPE"
	if c.unit == bytes {
		base, letters = 1024, "BkMGTPE"
		if bits {
			base, letters, v = 1000, "bkMGTPE", v*8
		}
	}
	text, power := digits(v, w, base)
	if v == 0 {
		return fmt.Sprintf("%*s ", w, text), noMagnitude
	}
	return fmt.Sprintf("%*s%c", w, text, letters[min(power, len(letters)-1)]), min(ones+magnitude(power), more)
}

// digits writes a number in that width, after dividing it by the base as often as
// it takes. One decimal is shown where there is one and room for it.
func digits(v float64, width int, base float64) (text string, power int) {
	for ; ; power++ {
		if v != math.Trunc(v) || power > 0 {
			if text = strconv.FormatFloat(v, 'f', 1, 64); len(text) <= width {
				return text, power
			}
		}
		if text = strconv.FormatFloat(v, 'f', 0, 64); len(text) <= width {
			return text, power
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

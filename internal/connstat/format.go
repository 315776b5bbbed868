package connstat

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/l4stat/l4stat/internal/printable"
)

// Format is how a report is written.
type Format uint8

// The formats. Only a table has headings.
const (
	Table    Format = iota // columns of fixed widths; "-" where there is no value
	Parsable               // values with commas between them; nothing where there is none
	JSON                   // an object in each line; null where there is no value
)

// Timestamp is how the time of a report is written.
type Timestamp string

// The time stamps.
const (
	NoTimestamp   Timestamp = ""
	DateTimestamp Timestamp = "d" // ISO 8601 in local time, to the second: 2016-07-07T11:04:40
	UnixTimestamp Timestamp = "u" // as time(2) does: seconds since 1970
)

// append appends the time of a report. In Parsable an equals sign before it tells
// it from a row. In JSON a date has its offset from UTC, which the lines of text
// of connstat are without.
func (ts Timestamp) append(b []byte, t time.Time, f Format) []byte {
	if f == Parsable {
		b = append(b, "= "...)
	}
	switch {
	case ts == UnixTimestamp:
		return strconv.AppendInt(b, t.Unix(), 10)
	case f == JSON:
		return t.AppendFormat(b, time.RFC3339)
	}
	return t.AppendFormat(b, "2006-01-02T15:04:05")
}

// appendTableHeader appends the names of the fields.
func appendTableHeader(b []byte, fields []Field) []byte {
	for i := range fields {
		f := &fields[i]
		start := len(b)
		b = append(b, strings.ToUpper(f.Name)...)
		b = pad(b, start, f, i == len(fields)-1)
	}
	return append(b, '\n')
}

// appendTableRow appends a connection's values, each in its column.
func appendTableRow(b []byte, fields []Field, r *row) []byte {
	for i := range fields {
		f := &fields[i]
		start := len(b)
		b = f.appendValue(b, r)
		if len(b) == start {
			b = append(b, '-')
		} else if !f.isNumber() {
			b = escape(b, start)
		}
		b = pad(b, start, f, i == len(fields)-1)
	}
	return append(b, '\n')
}

// pad fills the column of the value from start on: a number goes to the right.
// After the last column there is nothing.
func pad(b []byte, start int, f *Field, last bool) []byte {
	fill := f.Width - utf8.RuneCount(b[start:])
	for range fill {
		b = append(b, ' ')
	}
	switch {
	case f.isNumber() && fill > 0:
		value := len(b) - fill - start
		copy(b[start+fill:], b[start:start+value])
		for i := range fill {
			b[start+i] = ' '
		}
	case last && fill > 0:
		b = b[:len(b)-fill]
	}
	if !last {
		b = append(b, ' ')
	}
	return b
}

// escape makes what is in text from start on safe for a terminal: a process may
// call itself anything.
func escape(b []byte, start int) []byte {
	if plain(b[start:]) {
		return b
	}
	return append(b[:start], printable.Text(string(b[start:]))...)
}

// plain reports whether text, as nearly always, is visible ASCII.
func plain(text []byte) bool {
	return !slices.ContainsFunc(text, func(c byte) bool { return c < ' ' || c > '~' || c == '\\' })
}

// appendParsableRow appends the values with commas between them. A comma or a
// backslash that is part of a value has a backslash before it, as read of a
// shell takes it.
func appendParsableRow(b []byte, fields []Field, r *row) []byte {
	for i := range fields {
		if i > 0 {
			b = append(b, ',')
		}
		start := len(b)
		b = fields[i].appendValue(b, r)
		if !fields[i].isNumber() {
			b = escape(b, start)
			for at := start; at < len(b); at++ {
				if b[at] == ',' || b[at] == '\\' {
					b = slices.Insert(b, at, '\\')
					at++
				}
			}
		}
	}
	return append(b, '\n')
}

// appendJSONRow appends an object and a newline.
func appendJSONRow(b []byte, fields []Field, r *row, ts Timestamp, t time.Time) []byte {
	b = append(b, '{')
	switch ts {
	case UnixTimestamp:
		b = append(ts.append(append(b, `"time":`...), t, JSON), ',')
	case DateTimestamp:
		b = append(ts.append(append(b, `"time":"`...), t, JSON), `",`...)
	}
	for i := range fields {
		f := &fields[i]
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, '"')
		b = append(b, f.Name...)
		b = append(b, `":`...)
		start := len(b)
		b = f.appendValue(b, r)
		switch {
		case len(b) == start:
			b = append(b, "null"...)
		case !f.isNumber():
			b = quoteJSON(b, start)
		}
	}
	return append(b, "}\n"...)
}

// quoteJSON makes a JSON string of the text from start on. What is not visible is
// escaped as JSON has it, so that a terminal obeys nothing and a program reads what
// was there.
func quoteJSON(b []byte, start int) []byte {
	text := b[start:]
	if plain(text) && !slices.Contains(text, '"') {
		return append(slices.Insert(b, start, '"'), '"')
	}
	quoted, err := json.Marshal(string(text))
	if err != nil { // no string is an error
		return append(b[:start], "null"...)
	}
	b = b[:start]
	for _, r := range string(quoted) {
		if unicode.IsPrint(r) {
			b = utf8.AppendRune(b, r)
			continue
		}
		for _, unit := range utf16.Encode([]rune{r}) {
			b = fmt.Appendf(b, `\u%04x`, unit)
		}
	}
	return b
}

package netstat

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf8"
)

// No configuration comes near these. What goes beyond them costs the TOML parser
// its stack, or time and memory that grow faster than the text.
const (
	maxDepth    = 16 // of brackets and braces within each other
	maxKeyParts = 16 // of a key or a heading, with dots between
)

// scan looks over TOML before it is parsed. It refuses text that is made to hurt a
// parser, and control characters that make text look other than it reads. It tells
// strings and remarks from the rest, and leaves every other mistake to the parser.
type scan struct {
	data   []byte
	at     int
	line   int
	depth  int
	dots   int  // in the key that is being read
	header bool // the line is a heading, which ends with it
}

// scanText scans the text of a file; the error names the line.
func scanText(name string, data []byte) error {
	s := scan{data: data, line: 1}
	if i := bytes.IndexFunc(data, bidi); i >= 0 {
		r, _ := utf8.DecodeRune(data[i:])
		return fmt.Errorf("%s:%d: %U is a bidirectional control character, which makes text look other than it reads; take it out",
			name, 1+bytes.Count(data[:i], []byte("\n")), r)
	}
	for s.at < len(data) {
		s.next()
		switch {
		case s.depth > maxDepth:
			return fmt.Errorf("%s:%d: more than %d brackets within each other; no key needs that", name, s.line, maxDepth)
		case s.dots >= maxKeyParts:
			return fmt.Errorf("%s:%d: a key of more than %d parts; no key has that many", name, s.line, maxKeyParts)
		}
	}
	return nil
}

// bidi reports whether r changes the direction of the text around it.
func bidi(r rune) bool { return unicode.Is(unicode.Bidi_Control, r) }

// next takes in one character, string or remark.
func (s *scan) next() {
	switch c := s.data[s.at]; c {
	case '#':
		if n := bytes.IndexByte(s.data[s.at:], '\n'); n >= 0 {
			s.at += n
		} else {
			s.at = len(s.data)
		}
		return
	case '"', '\'':
		s.skipString(c)
		return
	case '\n':
		s.line++
		if s.dots = 0; s.header {
			s.depth, s.header = 0, false
		}
	case '[', '{':
		s.header = s.header || s.depth == 0 && c == '[' && s.lineBegins()
		s.depth++
		s.dots = 0
	case ']', '}':
		s.depth = max(s.depth-1, 0)
		s.dots = 0
	case '=', ',':
		s.dots = 0
	case '.':
		s.dots++
	}
	s.at++
}

// lineBegins reports whether there is nothing but space before on the line.
func (s *scan) lineBegins() bool {
	before := s.data[:s.at]
	return len(bytes.TrimLeft(before[bytes.LastIndexByte(before, '\n')+1:], " \t\ufeff")) == 0
}

// skipString skips a string, which ends with the line unless it begins with three
// quotes.
func (s *scan) skipString(quote byte) {
	three := bytes.Repeat([]byte{quote}, 3)
	many := bytes.HasPrefix(s.data[s.at:], three)
	if s.at++; many {
		s.at += 2
	}
	for ; s.at < len(s.data); s.at++ {
		switch c := s.data[s.at]; {
		case c == '\\' && quote == '"' && s.at+1 < len(s.data) && s.data[s.at+1] != '\n':
			s.at++
		case c == '\n' && !many:
			return
		case c == '\n':
			s.line++
		case c == quote && !many:
			s.at++
			return
		case many && bytes.HasPrefix(s.data[s.at:], three):
			// Up to two quotes before the three are of the string.
			for s.at += 3; s.at < len(s.data) && s.data[s.at] == quote; s.at++ {
			}
			return
		}
	}
}

// Package printable makes text from outside, such as the names of interfaces,
// processes and control groups, safe to show: as a tag, as a field, in a message,
// on a terminal. Whoever makes an interface or a process may put nearly any byte
// into its name, an escape sequence for one, or a character that reverses the
// text after it.
package printable

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Text returns s with everything that is not a space or visible written as Go
// writes it: \x1b, \n, \u202e, and the bytes of invalid UTF-8 as \xff. So is a
// backslash at the end, \x5c, which line protocol cannot carry in a tag. Different
// names stay different, but for one that itself spells out an escape.
func Text(s string) string {
	if !strings.HasSuffix(s, `\`) && !strings.ContainsFunc(s, hidden) {
		return s // nearly always
	}
	b := make([]byte, 0, 2*len(s))
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			b = append(b, `\x`...)
			b = append(b, hexDigit[s[0]>>4], hexDigit[s[0]&0xf])
		case s == `\`:
			b = append(b, `\x5c`...)
		case r != utf8.RuneError && hidden(r):
			quoted := strconv.QuoteRune(r)
			b = append(b, quoted[1:len(quoted)-1]...)
		default:
			b = append(b, s[:n]...)
		}
		s = s[n:]
	}
	return string(b)
}

const hexDigit = "0123456789abcdef"

// hidden reports whether r is not to be shown as it is. A byte of invalid UTF-8
// is utf8.RuneError, as is a replacement character that is really there.
func hidden(r rune) bool { return r == utf8.RuneError || !unicode.IsPrint(r) }

// Cut returns the first n characters of s, and "..." if there are more.
func Cut(s string, n int) string {
	for at := range s {
		if n--; n < 0 {
			return s[:at] + "..."
		}
	}
	return s
}

package printable

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	t.Parallel()
	tests := []struct{ text, want string }{
		{"", ""},
		{"eth0", "eth0"},
		{"a b=c,d", "a b=c,d"},
		{"東京-naïve", "東京-naïve"},
		{"e\x1b[31mvil", `e\x1b[31mvil`},
		{"bell\a\n\t", `bell\a\n\t`},
		{"\u202etxt.exe", `\u202etxt.exe`},
		{"zero\u200bwidth", `zero\u200bwidth`},
		{"c1\u009b31m", `c1\u009b31m`},
		{"\xff\xfe", `\xff\xfe`},
		{"half\xe2\x80", `half\xe2\x80`},
		{"replaced \ufffd", "replaced \ufffd"},
		{"\xff \ufffd", "\\xff \ufffd"},
		{`C:\temp`, `C:\temp`},
		{`system-systemd\x2dfsck.slice`, `system-systemd\x2dfsck.slice`},
		{`end\`, `end\x5c`},
		{`end\\`, `end\\x5c`},
		{"\x7f", `\x7f`},
	}
	for _, tt := range tests {
		if got := Text(tt.text); got != tt.want {
			t.Errorf("Text(%q) = %q, want %q", tt.text, got, tt.want)
		}
	}
}

func TestCut(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		text string
		n    int
		want string
	}{{"", 3, ""}, {"abc", 3, "abc"}, {"abcd", 3, "abc..."}, {"東京都庁", 2, "東京..."}} {
		if got := Cut(tt.text, tt.n); got != tt.want {
			t.Errorf("Cut(%q, %d) = %q, want %q", tt.text, tt.n, got, tt.want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("e\x1b[31m\u202e\xff\\")
	f.Fuzz(func(t *testing.T, text string) {
		got := Text(text)
		if !utf8.ValidString(got) || strings.HasSuffix(got, `\`) {
			t.Errorf("Text(%q) = %q, which line protocol cannot carry", text, got)
		}
		if strings.ContainsFunc(got, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("Text(%q) = %q, which is not printable", text, got)
		}
		if again := Text(got); again != got {
			t.Errorf("Text(%q) = %q, and Text of that is %q", text, got, again)
		}
	})
}

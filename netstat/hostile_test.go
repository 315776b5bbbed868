package netstat_test

import (
	"flag"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/l4stat/l4stat/netstat"
)

// fillSize is as much as a test has the time to have parsed. -hostile-size 1048576
// is as much as there may be.
var fillSize = flag.Int("hostile-size", 100<<10, "how many bytes of text TestLoadHostile has")

// fill repeats what n makes until it is as long as fillSize says.
func fill(begin string, n func(i int) string, end string) string {
	var b strings.Builder
	b.WriteString(begin)
	for i := 0; ; i++ {
		part := n(i)
		if b.Len()+len(part)+len(end) > *fillSize {
			break
		}
		b.WriteString(part)
	}
	return b.String() + end
}

func same(part string) func(int) string { return func(int) string { return part } }

// TestLoadHostile has files that are made to cost a parser its stack, memory or
// time, or a person the terminal: each is refused, or read, soon and in few words.
func TestLoadHostile(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	const head = "[[inputs.netstat]]\n"
	const group = head + "[[inputs.netstat.addr_ports]]\nports = ["
	const tooLong = "longer than 1048576 bytes"
	sixteen := func(i int) string { return fmt.Sprintf("%d", i) + strings.Repeat(".a", 15) }
	tests := []struct {
		name, text string
		want       string // in the error; "" is none
	}{
		{"10 MB of brackets", strings.Repeat("[", 10<<20), tooLong},
		{"1 MB of brackets", strings.Repeat("[", 1<<20), "more than 16 brackets"},
		{"1 MB of brackets in a value", fill(head+"include = ", same("["), ""), "more than 16 brackets"},
		{"nested inline tables", head + "tags = " + strings.Repeat("{a = ", 200_000), "more than 16 brackets"},
		{"a dotted key", head + strings.Repeat("a.", 500_000) + "a = 1", "more than 16 parts"},
		{"a dotted key in quotes", fill(head, same(`"a".`), "a = 1"), "more than 16 parts"},
		{"a dotted key with space", fill(head, same("a . "), "a = 1"), "more than 16 parts"},
		{"a dotted heading", fill("[", same("a."), "a]"), "more than 16 parts"},
		{"a dotted key in an inline table", fill(head+"tags = {", same("a."), "a = 1}"), "more than 16 parts"},
		{"brackets after strings", fill(head+"a = [\"]\\\"]\", ']', \"\"\"]\"\"\"\"\", '''\n]'''''", same(", ["), ""), "more than 16 brackets"},
		{"brackets in strings and remarks", "# " + strings.Repeat("[", 100) + "\n" + head + "tags = {a = '" + strings.Repeat("[", 100) + "', b = \"\\\"" + strings.Repeat("[", 100) + "\"}\n", ""},
		{"unknown keys", fill(head, func(i int) string { return fmt.Sprintf("k%d=1\n", i) }, ""), " more"},
		{"unknown tables", fill(head, func(i int) string { return "[" + sixteen(i) + "]\n" }, ""), " more"},
		{"unknown lists of tables", fill(head, func(i int) string { return "[[a" + strings.Repeat(".a", 15) + "]]\n" }, ""), "only [[inputs.netstat]]"},
		{"deep keys", fill(head, func(i int) string { return sixteen(i) + "=1\n" }, ""), " more"},
		{"entries that are none", fill(group, same(`"x",`), "]"), "more"},
		{"entries of one kind", fill(group, same(`"80",`), "]"), ""},
		{"ports beside", fill(group+`"80"]`+"\nports_match = [", same(`"x",`), "]"), "more"},
		{"numbers for entries", fill(group, same(`1,`), "]"), "more"},
		{"include", fill(head+"include = [", same(`"x",`), "]"), "more"},
		{"tags", fill(head+"tags = {", func(i int) string { return fmt.Sprintf("t%d = '',", i) }, "a = 'a'}"), "more"},
		{"blocks", fill("", same(head), ""), ""},
		{"bad blocks", fill("", same(head+"pid=1\n"), ""), "more"},
		{"groups", fill(head, same("[[inputs.netstat.addr_ports]]\n"), ""), "more"},
		{"a long key", fill(head, same("k"), " = 1"), "unknown key"},
		{"a long value", fill(head+"source = '", same("v"), "'"), "give one of"},
		{"a long entry", fill(group+"'", same("9"), "']"), "does not exist"},
		{"a long address", fill(group+"'", same("a"), ":80']"), "is not an IP address"},
		{"a long line that is not TOML", fill(head, same("x "), ""), "not TOML"},
		{"a long key twice", fill("a = 1\na", same("a"), "\n"), "not TOML"},
		{"zeros", fill(head, same("\x00"), ""), "not TOML"},
		{"quotes", fill(head, same("'"), ""), "not TOML"},
		{"escape sequences", head + "\x1b[2J\x1b]0;x\a\u009b = 1\n", "not TOML"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			began, before := time.Now(), allocated()
			configs, err := netstat.Load("netstat.conf", []byte(tt.text))
			for i := range configs {
				configs[i].Warnings()
			}
			took, memory := time.Since(began), allocated()-before
			t.Logf("%v, %d MB allocated", took.Round(time.Millisecond), memory>>20)
			// A machine may be slow and busy; these are for what grows faster than the text.
			if took > 30*time.Second || memory > 2<<30 {
				t.Errorf("it took %v and %d MB", took, memory>>20)
			}
			switch {
			case tt.want == "" && err != nil:
				t.Errorf("got the error %.300v", err)
			case tt.want == "":
				return
			case err == nil || !strings.Contains(err.Error(), tt.want):
				t.Fatalf("got the error %.3000v, want one with %q", err, tt.want)
			}
			checkLines(t, "netstat.conf", err)
			if text := err.Error(); len(text) > 21*600 || strings.Count(text, "\n") > 20 {
				t.Errorf("the error has %d bytes in %d lines:\n%.1000s", len(text), 1+strings.Count(text, "\n"), text)
			}
		})
	}
}

// allocated is how many bytes were allocated until now.
func allocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

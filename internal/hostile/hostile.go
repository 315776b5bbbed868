// Package hostile makes, for tests, what nobody should ever have to read: texts
// changed at random, and trees that look like procfs and are not. The same seed
// makes the same ones.
package hostile

import (
	"bytes"
	"flag"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
)

// cases is how many texts or trees a test makes.
var cases = flag.Int("hostile", 300, "how many hostile texts or trees each test makes")

// shortCases is how many they are at the most with -short.
const shortCases = 30

// seed is that of all tests, so that a case has the same number everywhere.
const seed = 20_261_124

// patience is how long a case may take: no case is slow, so one that takes this
// long hangs.
const patience = 30 * time.Second

// Each calls try for as many cases as the flag -hostile says, each with a source of
// random numbers of its own. It fails the test for a case that does not end. A
// panic ends the test; -hostile-case runs that case again, alone.
func Each(t *testing.T, try func(t *testing.T, n int, r *rand.Rand)) {
	t.Helper()
	cases := *cases
	if testing.Short() {
		cases = min(cases, shortCases)
	}
	for n := range cases {
		if *only >= 0 && n != *only {
			continue
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() {
				if p := recover(); p != nil {
					t.Errorf("case %d: panic: %v", n, p)
				}
			}()
			try(t, n, rand.New(rand.NewPCG(seed, uint64(n))))
		}()
		select {
		case <-done:
		case <-time.After(patience):
			t.Fatalf("case %d did not end within %v", n, patience)
		}
		if t.Failed() {
			t.Fatalf("case %d failed; run it again with -hostile-case %d", n, n)
		}
	}
	t.Logf("%d cases", cases)
}

var only = flag.Int("hostile-case", -1, "the one case to run")

// Mutate changes a text in one to six places.
func Mutate(r *rand.Rand, text []byte) []byte {
	text = bytes.Clone(text)
	for range 1 + r.IntN(6) {
		if text = mutations[r.IntN(len(mutations))](r, text); len(text) == 0 {
			break
		}
	}
	return text
}

// numbers are those at which something ends, and what is none.
var numbers = []string{"0", "-1", "-9223372036854775808", "9223372036854775807", "18446744073709551615", "18446744073709551616",
	"4294967296", "1e400", "NaN", "0x10", "1_0", "", "nan", "-0", "00000000000000000000000000000007", strings.Repeat("9", 400)}

// pieces are put in anywhere.
var pieces = []string{"\x00", "\x1b[2J", "\u202e", "\xff\xfe", "\n", "\r", " ", "\t", ":", "\"", "'", "\"\"\"", "\\", "[", "]", "{", "}", "=", ".", ",", "#", "-",
	"[[", "]]", "[[inputs.netstat]]\n", "tags = {time = \"x\"}\n", strings.Repeat("[", 40), strings.Repeat("a.", 40), strings.Repeat("{a=", 40), strings.Repeat("x", 5000), "\u2028", "\ufeff"}

var mutations = []func(*rand.Rand, []byte) []byte{
	func(r *rand.Rand, b []byte) []byte { return b[:r.IntN(len(b)+1)] }, // truncated
	func(r *rand.Rand, b []byte) []byte { b[r.IntN(len(b))] = byte(r.UintN(256)); return b },
	func(r *rand.Rand, b []byte) []byte { return replaceNumber(r, b, numbers[r.IntN(len(numbers))]) },
	func(r *rand.Rand, b []byte) []byte {
		return replaceNumber(r, b, strconv.FormatInt(int64(r.Uint64()), 10))
	},
	func(r *rand.Rand, b []byte) []byte { return insert(r, b, pieces[r.IntN(len(pieces))]) },
	func(r *rand.Rand, b []byte) []byte { // a part is gone
		i := r.IntN(len(b))
		return append(b[:i], b[min(len(b), i+1+r.IntN(40)):]...)
	},
	func(r *rand.Rand, b []byte) []byte { // a part is there twice
		i := r.IntN(len(b))
		return insert(r, b, string(b[i:min(len(b), i+1+r.IntN(400))]))
	},
	lines(func(r *rand.Rand, l []string) []string { i := r.IntN(len(l)); return append(l[:i], l[i+1:]...) }),
	lines(func(r *rand.Rand, l []string) []string {
		i, j := r.IntN(len(l)), r.IntN(len(l))
		l[i], l[j] = l[j], l[i]
		return l
	}),
	lines(func(r *rand.Rand, l []string) []string { // a short line
		i := r.IntN(len(l))
		words := strings.Fields(l[i])
		l[i] = strings.Join(words[:r.IntN(len(words)+1)], " ") + "\n"
		return l
	}),
	lines(func(r *rand.Rand, l []string) []string { // a remark that is none any more
		i := r.IntN(len(l))
		l[i] = strings.Replace(l[i], "#", "", 1)
		return l
	}),
	lines(func(r *rand.Rand, l []string) []string { // many of a line
		i := r.IntN(len(l))
		l[i] = strings.Repeat(l[i], 1+r.IntN(300))
		return l
	}),
	func(r *rand.Rand, b []byte) []byte { // binary
		for i := range b {
			b[i] = byte(r.UintN(256))
		}
		return b
	},
}

func lines(change func(*rand.Rand, []string) []string) func(*rand.Rand, []byte) []byte {
	return func(r *rand.Rand, b []byte) []byte {
		return []byte(strings.Join(change(r, strings.SplitAfter(string(b), "\n")), ""))
	}
}

func insert(r *rand.Rand, b []byte, piece string) []byte {
	i := r.IntN(len(b) + 1)
	return fmt.Appendf(nil, "%s%s%s", b[:i], piece, b[i:])
}

// replaceNumber replaces the first number behind some place.
func replaceNumber(r *rand.Rand, b []byte, by string) []byte {
	digit := func(c rune) bool { return c >= '0' && c <= '9' }
	at := r.IntN(len(b))
	i := bytes.IndexFunc(b[at:], digit)
	if i < 0 {
		return insert(r, b, by)
	}
	rest := b[at+i:]
	return fmt.Appendf(nil, "%s%s%s", b[:at+i], by, bytes.TrimLeftFunc(rest, digit))
}

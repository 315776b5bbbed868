package nearest_test

import (
	"strings"
	"testing"
	"time"

	"github.com/l4stat/l4stat/internal/nearest"
)

func TestOf(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ typed, known, want string }{
		{"onse", "once output", "once"},
		{"emmit", "emit watch conns config version help", "emit"},
		{"emti", "emit watch conns config version help", "emit"},
		{"tpc", "cpu udp tcp", "tcp"}, // two letters that changed places
		{"retransbyte", "retranssegs retransbytes", "retransbytes"},
		{"retrans", "rtt retransbytes retranssegs", "retranssegs"}, // two begin so: the shorter
		{"chekc", "check", "check"},
		{"INTERVALL", "interval include", "interval"},
		{"établi", "établie", "établie"},
		{"rt", "rtt rto", "rtt"},
		{"x", "tcp udp", ""},
		{"", "tcp udp", ""},
		{"a", "a", "a"},
		{"in", "interval", ""}, // too little to tell by
		{"zzz", "", ""},
		{"wash", "watch", "watch"},
		{"graph", "watch", ""},
	} {
		if got := nearest.Of(tt.typed, strings.Fields(tt.known)...); got != tt.want {
			t.Errorf("Of(%q, %q) is %q, want %q", tt.typed, tt.known, got, tt.want)
		}
	}
	if got, want := nearest.Remedy("tpc", "tcp", "udp"), "did you mean tcp? (there are tcp, udp)"; got != want {
		t.Errorf("Remedy is %q, want %q", got, want)
	}
	for _, known := range [][]string{{"tcp"}, strings.Fields("a b c d e f g h i j k l tcp")} {
		if got, want := nearest.Remedy("tpc", known...), "did you mean tcp?"; got != want {
			t.Errorf("Remedy of %d words is %q, want %q", len(known), got, want)
		}
	}
	if got, want := nearest.Remedy("x", "tcp", "udp"), "there are tcp, udp"; got != want {
		t.Errorf("Remedy of nothing near is %q, want %q", got, want)
	}
}

// TestLongWord shows that a word of any length costs no more than its reading.
func TestLongWord(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("interval", 1<<18)
	short := []string{"interval", "include"}
	done := make(chan string, 1)
	go func() { done <- nearest.Of(long, short...) }()
	select {
	case got := <-done:
		if got != "" {
			t.Errorf("Of is %q", got)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("a word of 2 MB takes more than 30 s")
	}
}

package netstat

import "testing"

func TestIncludeRemedy(t *testing.T) {
	for want, names := range map[string][]string{
		"this system has none; leave it out": nil,
		`give one or more of "tcp", "udp"`:   {"tcp", "udp"},
	} {
		if got := includeRemedy(names); got != want {
			t.Errorf("with %q: %s, want %s", names, got, want)
		}
	}
}

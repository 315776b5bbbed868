package guard

import (
	"errors"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	failed := errors.New("failed")
	var none []int
	tests := []struct {
		name  string
		parse func() (int, error)
		n     int
		err   string
	}{
		{"done", func() (int, error) { return 7, nil }, 7, ""},
		{"failed", func() (int, error) { return 3, failed }, 3, "failed"},
		{"panics", func() (int, error) { return none[15], nil }, 0, "not in the expected form: runtime error: index out of range [15]"},
		{"panics with text", func() (int, error) { panic("text") }, 0, "not in the expected form: text"},
	}
	for _, tt := range tests {
		n, err := Parse(tt.parse)
		if n != tt.n || (err == nil) != (tt.err == "") || err != nil && !strings.HasPrefix(err.Error(), tt.err) {
			t.Errorf("%s: got %d and the error %v, want %d and %q", tt.name, n, err, tt.n, tt.err)
		}
	}
}

package logger_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/l4stat/l4stat/internal/logger"
)

// TestRepeats has an error that comes each second told now and then, and errors
// that are never the same a few times a minute, with what was left out.
func TestRepeats(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		text  func(second int) string // "" for none
		lines int                     // in 20 minutes
		last  string
	}{
		"the same":      {func(int) string { return "refused" }, 2, "E: refused (599 more errors since the last that was told)"},
		"changing":      {func(second int) string { return fmt.Sprint("at ", second) }, 6 + 19, "E: at 1140 (59 more errors"},
		"now and then":  {func(second int) string { return map[bool]string{true: "now"}[second%300 == 0] }, 2, "E: now (1 more errors"},
		"nothing wrong": {func(int) string { return "" }, 0, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var out strings.Builder
				repeats := logger.New(&out, "W: ", "E: ").Repeats()
				for second := range 20 * 60 {
					var err error
					if text := tt.text(second); text != "" {
						err = errors.New(text)
					}
					repeats.Error(err)
					time.Sleep(time.Second)
				}
				lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
				if n := strings.Count(out.String(), "\n"); n != tt.lines || !strings.HasPrefix(lines[len(lines)-1], tt.last) {
					t.Errorf("%d lines, want %d, the last one %q:\n%s", n, tt.lines, tt.last, out.String())
				}
			})
		})
	}
}

package logger_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/logger"
)

func TestLogger(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		log  func(*logger.Logger)
		want string
	}{
		{"a warning twice", func(l *logger.Logger) { l.Warn("a"); l.Warn("a") }, "W! a\nW! a\n"},
		{"a warning once", func(l *logger.Logger) { l.WarnOnce("a"); l.WarnOnce("b"); l.WarnOnce("a") }, "W! a\nW! b\n"},
		{"joined errors", func(l *logger.Logger) { l.Error(errors.Join(errors.New("a"), errors.New("b"))) }, "E! a\nE! b\n"},
		{"what a terminal might obey", func(l *logger.Logger) { l.Warn("a\x1b[2J\u202eb\xff") }, `W! a\x1b[2J\u202eb\xff` + "\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var got strings.Builder
			tt.log(logger.New(&got, "W! ", "E! "))
			if got.String() != tt.want {
				t.Errorf("wrote %q, want %q", got.String(), tt.want)
			}
		})
	}
}

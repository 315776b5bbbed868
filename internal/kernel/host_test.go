package kernel

import (
	"errors"
	"path/filepath"
	"syscall"
	"testing"
)

func TestHost(t *testing.T) {
	t.Setenv("HOST_PROC", "")
	if got := This().Proc("net", "tcp"); got != filepath.FromSlash("/proc/net/tcp") {
		t.Errorf("this host's table is %s", got)
	}
	t.Setenv("HOST_PROC", "/host/proc")
	if got := This().Proc(); got != filepath.FromSlash("/host/proc") {
		t.Errorf("with HOST_PROC procfs is %s", got)
	}
	if got := At("/mnt").Proc("stat"); got != filepath.FromSlash("/mnt/stat") {
		t.Errorf("at /mnt the file is %s", got)
	}
}

func TestAnswerError(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		msg  []byte
		want error
	}{
		{nil, nil}, {[]byte{1, 2, 3}, nil}, {[]byte{0, 0, 0, 0}, nil}, {[]byte{0xff, 0xff, 0xff, 0xff}, syscall.Errno(1)},
		{[]byte{0xff, 0xff, 0xff, 0xff, 9}, syscall.Errno(1)},
	} {
		if got := AnswerError(tt.msg); !errors.Is(got, tt.want) {
			t.Errorf("% x is the error %v, want %v", tt.msg, got, tt.want)
		}
	}
}

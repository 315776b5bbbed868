package cli

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestBadUsageHTTP(t *testing.T) {
	t.Parallel()
	const url = "http://localhost:1/write?db=x"
	empty := filepath.Join(t.TempDir(), "empty")
	if err := os.WriteFile(empty, []byte(" \n"), 0o600); err != nil {
		t.Fatal(err)
	}
	tests := map[string]struct {
		args  []string
		words []string
	}{
		"password":            {[]string{"--output", "http://me:hush@localhost/write"}, []string{"--output", "http://localhost/write", envToken, "--token-file"}},
		"parameter p":         {[]string{"--output", url + "&u=me&p=hush"}, []string{"--output", `"u"`, envToken, "--token-file"}},
		"parameter token":     {[]string{"--output", url + "&token=hush"}, []string{`"token"`, envToken, "--token-file"}},
		"precision":           {[]string{"--output", url + "&precision=s"}, []string{"--output", "precision=s", "ns"}},
		"precision by flag":   {[]string{"--output", url + "&precision=ns", "--precision", "s"}, []string{"precision=ns", "written in s"}},
		"no host":             {[]string{"--output", "HTTPS://"}, []string{"--output", "a host"}},
		"buffer limit 0":      {[]string{"--output", url, "--buffer-limit", "0"}, []string{"--buffer-limit 0", "above zero"}},
		"buffer limit -1":     {[]string{"--output", url, "--buffer-limit=-1"}, []string{"--buffer-limit -1"}},
		"buffer limit of sth": {[]string{"--output", url, "--buffer-limit", "many"}, []string{"--buffer-limit", `"many"`}},
		"token file missing":  {[]string{"--output", url, "--token-file", "/nonexistent/token"}, []string{"--token-file", "/nonexistent/token"}},
		"token file empty":    {[]string{"--output", url, "--token-file", empty}, []string{"--token-file", empty}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, code := run(t, nil, append([]string{"emit", "--once"}, tt.args...)...)
			checkFailure(t, stdout, stderr, code, exitUsage, tt.words...)
			if strings.Contains(stderr, "hush") {
				t.Errorf("standard error tells the secret: %s", stderr)
			}
		})
	}
	stdout, stderr, code := run(t, []string{envToken + "=a\tb"}, "emit", "--once", "--output", url)
	checkFailure(t, stdout, stderr, code, exitUsage, "token", "control character")
}

// unreachable gives a URL where nobody listens.
func unreachable(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String() + "/write?db=x"
}

func TestEmitOnceUnreachable(t *testing.T) {
	t.Parallel()
	url := unreachable(t)
	stdout, stderr, code := run(t, nil, "emit", "--once", "--output", url)
	checkFailure(t, stdout, stderr, code, exitFailed, "--output "+url, "metrics were not delivered", "refused")
}

package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An output that was meant to be a URL is a mistake, and no file of that name.
func TestOutputName(t *testing.T) {
	t.Parallel()
	wrong := map[string]string{
		"localhost:8086":                 "looks like a host and a port",
		"localhost:8086/write?db=x":      "looks like a host and a port",
		"10.0.0.1:80":                    "looks like a host and a port",
		"[::1]:8086":                     "looks like a host and a port",
		":8086":                          "looks like a host and a port",
		"htpp://db/write":                "is not an http:// or https:// URL",
		"udp://db:8089":                  "is not an http:// or https:// URL",
		"http:/db/write":                 "is not an http:// or https:// URL",
		"http:db/write":                  "is not an http:// or https:// URL",
		"HTTP//db/write":                 "is not an http:// or https:// URL",
		"https//db/write":                "is not an http:// or https:// URL",
		"db/write?db=x":                  "looks like a URL without http://",
		"":                               "it is empty",
		"htpp://me:hush@db/write?p=hush": "htpp://***@db/write?p=***",
		"me:hush@db:8086/write?p=hush":   "***@db:8086/write?p=***",
	}
	for name, want := range wrong {
		err := checkFileName(name)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%q: got the error %v, want %q", name, err, want)
		}
	}
	for _, name := range []string{"out.lp", "/var/log/netstat.lp", "./localhost:8086", "/tmp/localhost:8086", "a:b", "out:1.lp", "http", "httpd.lp", "log/12:30", "2026-11-24T12:30:00.lp", "who?", "/dev/stdout"} {
		if err := checkFileName(name); err != nil {
			t.Errorf("%q: %v", name, err)
		}
	}

	dir := t.TempDir()
	cmd := program(t, nil, "emit", "--once", "--output", "localhost:8086")
	cmd.Dir = dir
	out, _ := cmd.CombinedOutput()
	if code := cmd.ProcessState.ExitCode(); code != exitUsage || !strings.Contains(string(out), "./localhost:8086") {
		t.Errorf("exit code %d, output %q; want %d, and what to write", code, out, exitUsage)
	}
	if _, err := os.Stat(filepath.Join(dir, "localhost:8086")); err == nil {
		t.Error("there is a file of that name")
	}
}

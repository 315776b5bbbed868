package deploy

import (
	"compress/gzip"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/l4stat/l4stat/internal/peers"
)

// sinkMarker is the environment variable that makes the test binary a server
// that takes writes, and names the file where it notes them.
const sinkMarker = "L4STAT_TEST_SINK"

func TestMain(m *testing.M) {
	if file := os.Getenv(sinkMarker); file != "" {
		fmt.Fprintln(os.Stderr, sink(file))
		os.Exit(1)
	}
	os.Exit(peers.Main(m))
}

// sink listens where InfluxDB does, and appends each request to the file.
func sink(file string) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", "127.0.0.1:8086")
	if err != nil {
		return err
	}
	return http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := gzip.NewReader(r.Body)
		if err == nil {
			var lines []byte
			lines, err = io.ReadAll(body)
			fmt.Fprintf(f, "%s %s, Authorization: %s\n%s", r.Method, r.URL, r.Header.Get("Authorization"), lines)
		}
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}))
}

// read gives a file, by its path from this folder.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// write makes a file, and its folders.
func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// install copies a program to a path, and makes its folders.
func install(t *testing.T, program, path string) {
	t.Helper()
	write(t, path, read(t, program))
	if err := os.Chmod(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

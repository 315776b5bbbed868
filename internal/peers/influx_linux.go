package peers

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Influx is an InfluxDB 1.8 server with a database of its own. It has /write,
// /api/v2/write, InfluxQL and Flux.
type Influx struct {
	// URL is its address over TCP, "http://127.0.0.1:PORT", the same after a
	// restart. An isolated server cannot be reached there.
	URL string
	// Socket is the path of its Unix socket, over which no test host has a TCP
	// connection more.
	Socket string

	*Process
	t        testing.TB
	program  string
	config   string
	isolated bool
	client   *http.Client
	user     *url.Userinfo
}

// InfluxOption changes how a server runs.
type InfluxOption func(*Influx)

// Isolated runs the server in a network namespace of its own, so that its
// sockets are not among those of the test host.
func Isolated() InfluxOption { return func(i *Influx) { i.isolated = true } }

// WithAuth has the server refuse whoever is not its user. Query uses that user.
func WithAuth(name, password string) InfluxOption {
	return func(i *Influx) { i.user = url.UserPassword(name, password) }
}

// StartInflux starts a server, program being from BuildInfluxd.
func StartInflux(t testing.TB, program string, options ...InfluxOption) *Influx {
	t.Helper()
	// Not t.TempDir: the path of a Unix socket has to be short.
	dir, err := os.MkdirTemp("", "influx")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })

	port := freePort(t)
	i := &Influx{
		URL:     fmt.Sprintf("http://127.0.0.1:%d", port),
		Socket:  filepath.Join(dir, "http.sock"),
		t:       t,
		program: program,
		config:  filepath.Join(dir, "influxdb.conf"),
	}
	for _, o := range options {
		o(i)
	}
	i.client = &http.Client{Timeout: Patience, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", i.Socket)
		},
	}}
	address := fmt.Sprintf("127.0.0.1:%d", port)
	if i.isolated {
		address = fmt.Sprintf(":%d", port) // its loopback interface is down
	}
	config := fmt.Sprintf(`
reporting-disabled = true
bind-address = ":0"
[meta]
  dir = %[1]q
[data]
  dir = %[2]q
  wal-dir = %[3]q
[monitor]
  store-enabled = false
[http]
  bind-address = %[4]q
  unix-socket-enabled = true
  bind-socket = %[5]q
  flux-enabled = true
  auth-enabled = %[6]t
  log-enabled = false
`, filepath.Join(dir, "meta"), filepath.Join(dir, "data"), filepath.Join(dir, "wal"), address, i.Socket, i.user != nil)
	if err := os.WriteFile(i.config, []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	i.Start()
	if i.user != nil {
		password, _ := i.user.Password()
		i.Query("", fmt.Sprintf("CREATE USER %q WITH PASSWORD '%s' WITH ALL PRIVILEGES", i.user.Username(), password))
	}
	return i
}

// Start starts the server again after Stop, with the data that it had.
func (i *Influx) Start() {
	i.t.Helper()
	cmd := exec.Command(i.program, "-config", i.config)
	if i.isolated {
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	}
	i.Process = Start(i.t, cmd)
	Until(i.t, "influxd answers", func() bool {
		if !i.Running() {
			i.t.Fatalf("influxd has ended:\n%s", i.Log())
		}
		resp, err := i.client.Get("http://influx/ping")
		if err != nil {
			return false
		}
		_ = resp.Body.Close()
		return resp.StatusCode == http.StatusNoContent
	})
}

// Series is a series of an InfluxQL result.
type Series struct {
	Name    string            `json:"name"`
	Tags    map[string]string `json:"tags"`
	Columns []string          `json:"columns"`
	Values  [][]any           `json:"values"` // numbers are json.Number; times are in nanoseconds
}

// Query runs InfluxQL against a database and gives the series of its results.
func (i *Influx) Query(db, query string) []Series {
	i.t.Helper()
	form := url.Values{"db": {db}, "q": {query}, "epoch": {"ns"}}
	req, err := http.NewRequest(http.MethodPost, "http://influx/query?"+form.Encode(), nil)
	if err != nil {
		i.t.Fatal(err)
	}
	if i.user != nil {
		password, _ := i.user.Password()
		req.SetBasicAuth(i.user.Username(), password)
	}
	resp, err := i.client.Do(req)
	if err != nil {
		i.t.Fatalf("query influxd: %v", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		i.t.Fatalf("query influxd: %v", err)
	}
	var answer struct {
		Error   string
		Results []struct {
			Error  string
			Series []Series
		}
	}
	dec := json.NewDecoder(bytes.NewReader(body))
	dec.UseNumber()
	if err := dec.Decode(&answer); err != nil {
		i.t.Fatalf("query influxd: %s: %v: %s", resp.Status, err, body)
	}
	var all []Series
	for _, r := range answer.Results {
		if r.Error != "" {
			i.t.Fatalf("query %s: %s", query, r.Error)
		}
		all = append(all, r.Series...)
	}
	if answer.Error != "" {
		i.t.Fatalf("query %s: %s", query, answer.Error)
	}
	return all
}

// Write writes line protocol to a database.
func (i *Influx) Write(db, text string) {
	i.t.Helper()
	resp, err := i.client.Post("http://influx/write?"+url.Values{"db": {db}}.Encode(), "", strings.NewReader(text))
	if err != nil {
		i.t.Fatalf("write to influxd: %v", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		body, _ := io.ReadAll(resp.Body)
		i.t.Fatalf("write to influxd: %s: %s", resp.Status, body)
	}
}

// CreateDatabase makes a database.
func (i *Influx) CreateDatabase(name string) {
	i.t.Helper()
	i.Query("", fmt.Sprintf("CREATE DATABASE %q", name))
}

// freePort gives a TCP port of the loopback address that nobody listens on. It
// is none of those that the kernel gives to outgoing connections, one of which
// could have it while the server is stopped.
func freePort(t testing.TB) int {
	t.Helper()
	for range 100 {
		port := 10000 + rand.IntN(20000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			continue
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
		return port
	}
	t.Fatal("no free port from 10000 to 29999")
	return 0
}

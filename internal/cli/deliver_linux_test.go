package cli

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/l4stat/l4stat/internal/peers"
)

// TestEmitSilentReader has nobody read standard output: the other output gets
// every gather all the same, and it is said once.
func TestEmitSilentReader(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	t.Parallel()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	// The buffer is large enough for a file that a busy machine holds up.
	file := filepath.Join(t.TempDir(), "out.lp")
	cmd := program(t, nil, "emit", "--interval", "1ms", "--buffer-limit", "400", "--output", "-", "--output", file)
	cmd.Stdout = w
	var diag bytes.Buffer
	cmd.Stderr = &diag
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = w.Close()
	defer func() { _ = cmd.Process.Kill() }()
	// A first byte shows that it runs; then the pipe fills and takes no more.
	if _, err := r.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if err := waitBlocked(r); err != nil {
		t.Fatal(err)
	}
	rows := func() int {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(text), "\n")
	}
	before := rows()
	peers.Until(t, "1,000 rows more in the file", func() bool { return rows() > before+1000 })
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	diagnostics := peers.WithoutPace(diag.String())
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || strings.Count(diagnostics, "\n") != 2 ||
		!strings.Contains(diagnostics, "standard output is behind and the buffer of 400 metrics is full") || !strings.Contains(diagnostics, "metrics were not delivered") {
		t.Errorf("exit code %d, standard error %q; want %d, a warning and the loss", code, diagnostics, exitFailed)
	}
}

// TestEmitFullDisk has a full disk cost two lines and an exit code, as a server
// that is away does.
func TestEmitFullDisk(t *testing.T) {
	t.Parallel()
	e := startEmitter(t, nil, "--interval", "1ms", "--output", "/dev/full")
	e.gathers(50)
	if code := e.end(); code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	e.checkLog([]string{"warning: /dev/full does not take metrics", "no space left"}, []string{"--output /dev/full", "metrics were not delivered", "no space left"})
}

// TestEmitFIFO has a pipe that nobody reads waited for, once it was said, and not
// waited for with --once.
func TestEmitFIFO(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := run(t, nil, "emit", "--once", "--output", fifo)
	checkFailure(t, stdout, stderr, code, exitFailed, "--output "+fifo, "2 metrics were not delivered", "a pipe that nobody reads")

	e := startEmitter(t, nil, "--interval", "20ms", "--output", fifo)
	e.logs(1, fifo+" does not take metrics")
	e.gathers(5)
	r, err := os.Open(fifo)
	if err != nil {
		t.Fatal(err)
	}
	read := make(chan []byte)
	go func() {
		text, _ := io.ReadAll(r)
		read <- text
	}()
	e.logs(1, fifo+" takes metrics again")
	e.gathers(5)
	if code := e.end(); code != exitDone {
		t.Errorf("exit code %d:\n%s", code, e.Log())
	}
	want, err := os.ReadFile(e.file)
	if err != nil {
		t.Fatal(err)
	}
	if got := <-read; !bytes.Equal(got, want) {
		t.Errorf("%d bytes were read of %d", len(got), len(want))
	}
	_ = r.Close()
}

// TestEmitHangup has SIGHUP read the configuration again, keep the old one where
// the new is wrong, and end a run without a file cleanly.
func TestEmitHangup(t *testing.T) {
	t.Parallel()
	const block = "[[inputs.netstat]]\ninterval = \"20ms\"\n[inputs.netstat.tags]\nconf = \"NAME\"\n"
	conf := configFile(t, strings.Replace(block, "NAME", "one", 1))
	e := startEmitter(t, nil, "--config", conf)
	has := func(name string) func() bool {
		return func() bool {
			points := e.points()
			return len(points) > 0 && points[len(points)-1].tags["conf"] == name
		}
	}
	peers.Until(t, "the first configuration runs", has("one"))
	for _, step := range []struct{ text, log, runs string }{
		{"[[inputs.netstat]]\nintervall = \"20ms\"\n", `unknown key; did you mean "interval"?`, "one"},
		{strings.Replace(block, "NAME", "two", 1), conf + " was read again", "two"},
	} {
		if err := os.WriteFile(conf, []byte(step.text), 0o644); err != nil {
			t.Fatal(err)
		}
		e.Signal(syscall.SIGHUP)
		e.logs(1, step.log)
		e.gathers(3)
		peers.Until(t, step.runs+" runs", has(step.runs))
	}
	if code := e.end(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	e.checkLog([]string{conf, "intervall", "SIGHUP changed nothing"}, []string{"l4stat: " + conf + " was read again, [[inputs.netstat]] blocks: 1"})

	e = startEmitter(t, nil, "--interval", "20ms", "--output", unreachable(t))
	e.gathers(3)
	e.Signal(syscall.SIGHUP)
	if err := e.Wait(); e.ProcessState.ExitCode() != exitFailed {
		t.Errorf("ended with %v, want exit code %d for what was not delivered", err, exitFailed)
	}
	if !strings.Contains(e.Log(), "metrics were not delivered") {
		t.Errorf("the log has no loss:\n%s", e.Log())
	}
}

// TestEmitErrorsBounded has the same error of every gather told once.
func TestEmitErrorsBounded(t *testing.T) {
	t.Parallel()
	conf := configFile(t, "[[inputs.netstat]]\nsource = \"procfs\"\ninterval = \"5ms\"\n")
	cmd := program(t, []string{"HOST_PROC=" + t.TempDir()}, "emit", "--config", conf)
	p := peers.Start(t, cmd)
	peers.Until(t, "an error", func() bool { return strings.Contains(p.Log(), "/net/tcp") })
	time.Sleep(200 * time.Millisecond) // some 40 gathers
	p.Stop()
	if n := strings.Count(peers.WithoutPace(p.Log()), "\n"); n > 6 {
		t.Errorf("%d lines:\n%s", n, p.Log())
	}
}

// TestEmitTLS has a server that wants a certificate and whose own is known by a
// file only.
func TestEmitTLS(t *testing.T) {
	t.Parallel()
	shown := make(chan int, 10)
	peer := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		shown <- len(r.TLS.PeerCertificates)
		w.WriteHeader(http.StatusNoContent)
	}))
	peer.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshakes that fail
	peer.TLS = &tls.Config{ClientAuth: tls.RequestClientCert}
	peer.StartTLS()
	defer peer.Close()
	dir := t.TempDir()
	write := func(name, kind string, der []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	der, err := x509.MarshalPKCS8PrivateKey(peer.TLS.Certificates[0].PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, key := write("cert.pem", "CERTIFICATE", peer.Certificate().Raw), write("key.pem", "PRIVATE KEY", der)
	emit := []string{"emit", "--once", "--output", peer.URL + "/write?db=x"}

	stdout, stderr, code := run(t, nil, emit...)
	checkFailure(t, stdout, stderr, code, exitFailed, "certificate")
	for name, tt := range map[string]struct {
		args  []string
		shown int
	}{
		"a CA":            {[]string{"--tls-ca", cert}, 0},
		"no verification": {[]string{"--insecure-skip-verify"}, 0},
		"a certificate":   {[]string{"--tls-ca", cert, "--tls-cert", cert, "--tls-key", key}, 1},
	} {
		stdout, stderr, code := run(t, nil, slices.Concat(emit, tt.args)...)
		if stdout != "" || stderr != "" || code != exitDone {
			t.Errorf("%s: exit code %d, output %q, standard error %q", name, code, stdout, stderr)
			continue
		}
		if n := <-shown; n != tt.shown {
			t.Errorf("%s: the server was shown %d certificates, want %d", name, n, tt.shown)
		}
	}
	for name, tt := range map[string]struct{ args, words []string }{
		"no such CA":       {[]string{"--tls-ca", "/nonexistent.pem"}, []string{"--tls-ca", "/nonexistent.pem"}},
		"a CA of zeros":    {[]string{"--tls-ca", "/dev/zero"}, []string{"--tls-ca", "/dev/zero"}},
		"no CA in it":      {[]string{"--tls-ca", key}, []string{"--tls-ca " + key, "no certificate"}},
		"no key":           {[]string{"--tls-cert", cert}, []string{"--tls-key FILE"}},
		"no certificate":   {[]string{"--tls-key", key}, []string{"--tls-cert FILE"}},
		"of no pair":       {[]string{"--tls-cert", cert, "--tls-key", cert}, []string{"--tls-cert " + cert}},
		"a token of zeros": {[]string{"--token-file", "/dev/zero"}, []string{"--token-file", "/dev/zero"}},
		"port 99999":       {[]string{"--output", "http://localhost:99999/write"}, []string{"99999", "1 to 65535"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, code := run(t, nil, slices.Concat(emit, tt.args)...)
			checkFailure(t, stdout, stderr, code, exitUsage, tt.words...)
		})
	}
}

// TestEmitTokenFIFO has a token file be a pipe that nobody writes to.
func TestEmitTokenFIFO(t *testing.T) {
	t.Parallel()
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := run(t, nil, "emit", "--once", "--output", "http://localhost:1/write", "--token-file", fifo)
	checkFailure(t, stdout, stderr, code, exitUsage, "--token-file", fifo)
}

// TestEmitSecretParameters has no message show the values of parameters that may be
// secrets.
func TestEmitSecretParameters(t *testing.T) {
	t.Parallel()
	url := unreachable(t) + "&password=hush&api_key=hush&access_token=hush"
	_, stderr, code := run(t, nil, "emit", "--once", "--output", url)
	if code != exitFailed || strings.Contains(stderr, "hush") || !strings.Contains(stderr, "api_key=***") {
		t.Errorf("exit code %d, standard error %q", code, stderr)
	}
}

// TestEmitRedirectToken has a server redirect to another port of its host: the
// token does not follow.
func TestEmitRedirectToken(t *testing.T) {
	t.Parallel()
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		t.Errorf("got a request with the authorization %q", r.Header.Get("Authorization"))
	}))
	defer other.Close()
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, other.URL+"/write", http.StatusTemporaryRedirect)
	}))
	defer peer.Close()
	stdout, stderr, code := run(t, []string{envToken + "=hush"}, "emit", "--once", "--output", peer.URL+"/write")
	checkFailure(t, stdout, stderr, code, exitFailed, "307", "the server wants the request sent to "+other.URL)
}

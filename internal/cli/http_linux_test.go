package cli

import (
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/l4stat/l4stat/internal/peers"
)

// emitter is l4stat emit as a process that writes to URLs, and for comparison to
// a file.
type emitter struct {
	*peers.Process
	t    *testing.T
	file string
}

func startEmitter(t *testing.T, env []string, args ...string) *emitter {
	t.Helper()
	file := filepath.Join(t.TempDir(), "truth.lp")
	cmd := program(t, env, append([]string{"emit", "--output", file}, args...)...)
	return &emitter{peers.Start(t, cmd), t, file}
}

// points gives what was gathered so far. A line may be half written; it is left
// out.
func (e *emitter) points() []point {
	e.t.Helper()
	text, err := os.ReadFile(e.file)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		e.t.Fatal(err)
	}
	return parse(e.t, string(text[:strings.LastIndexByte(string(text), '\n')+1]))
}

// gathers waits for so many gathers more.
func (e *emitter) gathers(n int) {
	e.t.Helper()
	count := func() int {
		times := map[int64]bool{}
		for _, p := range e.points() {
			times[p.time] = true
		}
		return len(times)
	}
	want := count() + n
	peers.Until(e.t, fmt.Sprintf("%d gathers more", n), func() bool {
		if !e.Running() {
			e.t.Fatalf("emit has ended:\n%s", e.Log())
		}
		return count() >= want
	})
}

// logs waits until the log has text, that many times.
func (e *emitter) logs(times int, text string) {
	e.t.Helper()
	peers.Until(e.t, fmt.Sprintf("%q in the log, %d times", text, times), func() bool {
		if strings.Count(e.Log(), text) >= times {
			return true
		}
		if !e.Running() {
			e.t.Fatalf("emit has ended:\n%s", e.Log())
		}
		return false
	})
}

// end sends SIGTERM and gives the exit code.
func (e *emitter) end() int {
	e.t.Helper()
	e.Signal(syscall.SIGTERM)
	start := time.Now()
	err := e.Wait()
	if took := time.Since(start); took > 5*time.Second {
		e.t.Errorf("emit took %v to end", took)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		e.t.Fatal(err)
	}
	return e.ProcessState.ExitCode()
}

// checkLog checks the lines of the log: as many as words lists, each with its
// words.
func (e *emitter) checkLog(words ...[]string) {
	e.t.Helper()
	lines := slices.Collect(strings.Lines(peers.WithoutPace(e.Log())))
	if len(lines) != len(words) {
		e.t.Errorf("the log has %d lines, want %d:\n%s", len(lines), len(words), e.Log())
		return
	}
	for i, line := range lines {
		for _, word := range words[i] {
			if !strings.Contains(line, word) {
				e.t.Errorf("line %d of the log does not have %q: %s", i+1, word, line)
			}
		}
	}
}

// stored gives what a database holds, in order of time.
func stored(t *testing.T, i *peers.Influx, db string) []point {
	t.Helper()
	var points []point
	for _, s := range i.Query(db, `SELECT * FROM netstat, netstat_port GROUP BY *`) {
		for _, row := range s.Values {
			p := point{name: s.Name, tags: s.Tags, fields: map[string]any{}}
			for column, value := range row {
				number, ok := value.(json.Number)
				if !ok { // the field is not there
					continue
				}
				n, err := number.Int64()
				if err != nil {
					t.Fatal(err)
				}
				if key := s.Columns[column]; key == "time" {
					p.time = n
				} else {
					p.fields[key] = n
				}
			}
			points = append(points, p)
		}
	}
	return sorted(points)
}

// sorted orders points by time, and those of one gather somehow. InfluxDB shows
// a tag that a series does not have as empty, where others have it.
func sorted(points []point) []point {
	for _, p := range points {
		maps.DeleteFunc(p.tags, func(_, value string) bool { return value == "" })
	}
	slices.SortStableFunc(points, func(a, b point) int {
		if a.time != b.time {
			return int(min(max(a.time-b.time, -1), 1))
		}
		return strings.Compare(fmt.Sprint(a.name, a.tags), fmt.Sprint(b.name, b.tags))
	})
	return points
}

// checkStored compares what a database holds with what it should.
func checkStored(t *testing.T, i *peers.Influx, db string, want []point) {
	t.Helper()
	got := stored(t, i, db)
	want = sorted(slices.Clone(want))
	if len(got) != len(want) {
		t.Errorf("%s has %d rows, want %d", db, len(got), len(want))
	}
	for n := range min(len(got), len(want)) {
		if !reflect.DeepEqual(got[n], want[n]) {
			t.Errorf("row %d of %s is\n%v, want\n%v", n, db, got[n], want[n])
			return
		}
	}
}

func startInflux(t *testing.T, options ...peers.InfluxOption) *peers.Influx {
	t.Helper()
	return peers.StartInflux(t, peers.BuildInfluxd(t), options...)
}

// portOf gives the port of a server's URL.
func portOf(i *peers.Influx) string { return i.URL[strings.LastIndexByte(i.URL, ':')+1:] }

func TestHTTPOutage(t *testing.T) {
	t.Parallel()
	influx := startInflux(t)
	influx.CreateDatabase("one")
	influx.CreateDatabase("two")
	e := startEmitter(t, nil, "--interval", "100ms", "--ports", portOf(influx),
		"--output", influx.URL+"/write?db=one",
		"--output", influx.URL+"/api/v2/write?org=any&bucket=two")
	e.gathers(3)
	influx.Stop()
	e.logs(2, "does not take metrics")
	e.gathers(10)
	influx.Start()
	e.logs(2, "takes metrics again")
	e.gathers(3)
	if code := e.end(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	if lines := strings.Count(peers.WithoutPace(e.Log()), "\n"); lines != 4 {
		t.Errorf("the log has %d lines, want 2 for each output:\n%s", lines, e.Log())
	}
	for _, db := range []string{"one", "two"} {
		checkStored(t, influx, db, e.points())
	}
}

// TestHTTPInflux has what one server can be used for at the same time.
func TestHTTPInflux(t *testing.T) {
	t.Parallel()
	influx := startInflux(t)
	for name, test := range map[string]func(*testing.T, *peers.Influx){
		"precision":           testHTTPPrecision,
		"missing database":    testHTTPMissingDatabase,
		"field type conflict": testHTTPFieldTypeConflict,
	} {
		t.Run(name, func(t *testing.T) { test(t, influx) })
	}
}

func testHTTPPrecision(t *testing.T, influx *peers.Influx) {
	for precision, unit := range map[string]time.Duration{"ns": time.Nanosecond, "us": time.Microsecond, "ms": time.Millisecond, "s": time.Second} {
		one, two := "one_"+precision, "two_"+precision
		influx.CreateDatabase(one)
		influx.CreateDatabase(two)
		file := filepath.Join(t.TempDir(), "truth.lp")
		_, stderr, code := run(t, nil, "emit", "--once", "--precision", precision, "--output", file,
			"--output", influx.URL+"/write?db="+one, "--output", influx.URL+"/api/v2/write?org=any&bucket="+two)
		if stderr != "" || code != exitDone {
			t.Fatalf("exit code %d, standard error %q", code, stderr)
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		want := parse(t, string(text))
		for i := range want {
			want[i].time *= int64(unit)
		}
		checkStored(t, influx, one, want)
		checkStored(t, influx, two, want)
	}
}

// number gives the number before some text in the log.
func (e *emitter) number(before string) int {
	e.t.Helper()
	found := regexp.MustCompile(`(\d+) `+regexp.QuoteMeta(before)).FindAllStringSubmatch(e.Log(), -1)
	if len(found) != 1 {
		e.t.Fatalf("want one number before %q in the log:\n%s", before, e.Log())
	}
	n, err := strconv.Atoi(found[0][1])
	if err != nil {
		e.t.Fatal(err)
	}
	return n
}

func TestHTTPOverrun(t *testing.T) {
	t.Parallel()
	influx := startInflux(t)
	influx.CreateDatabase("db")
	e := startEmitter(t, nil, "--interval", "50ms", "--buffer-limit", "10", "--output", influx.URL+"/write?db=db")
	e.gathers(3)
	influx.Stop()
	e.logs(1, "buffer of 10 metrics is full")
	e.gathers(20)
	influx.Start()
	e.logs(1, "takes metrics again")
	e.gathers(3)
	if code := e.end(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	e.checkLog([]string{"warning: ", "does not take", "10"}, []string{"is full", "so far"}, []string{"again", "were waiting", "were dropped"})

	dropped := e.number("were dropped")
	all, got := sorted(e.points()), stored(t, influx, "db")
	if dropped < 20 || len(all) != len(got)+dropped {
		t.Errorf("%d rows of %d are there and %d were dropped", len(got), len(all), dropped)
	}
	// The newest are there. A request that was under way while others were dropped
	// may be among what is missing.
	newest := 0
	for n := range all {
		switch {
		case len(got) > 0 && reflect.DeepEqual(got[0], all[n]):
			got = got[1:]
			newest++
		default:
			newest = 0
		}
	}
	if len(got) > 0 {
		t.Errorf("not gathered, or twice or in another order: %v", got)
	}
	if want := 10 - 2 + 2*3; newest < want { // the buffer's, but for a request, and those since
		t.Errorf("the newest %d rows are there, want at least %d", newest, want)
	}
}

func TestHTTPSignalInOutage(t *testing.T) {
	t.Parallel()
	influx := startInflux(t)
	influx.CreateDatabase("db")
	e := startEmitter(t, nil, "--interval", "50ms", "--output", influx.URL+"/write?db=db")
	e.gathers(3)
	influx.Stop()
	e.logs(1, "does not take")
	e.gathers(10)
	if code := e.end(); code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	e.checkLog([]string{"does not take"}, []string{"--output " + influx.URL, "metrics were not delivered", "connection refused"})
	lost := e.number("metrics were not delivered")
	influx.Start()
	all := e.points()
	checkStored(t, influx, "db", all[:len(all)-lost])
}

// TestHTTPSignalHanging has servers that take connections and never answer. Each
// output has the time that there is; none waits for another.
func TestHTTPSignalHanging(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("waits for a server that does not answer")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	url := "http://" + l.Addr().String() + "/write?db="
	e := startEmitter(t, nil, "--interval", "20ms", "--output", url+"one", "--output", url+"two", "--output", url+"three")
	e.gathers(10)
	if code := e.end(); code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	lost := fmt.Sprintf(" %d metrics were not delivered: not taken within", len(e.points()))
	e.checkLog([]string{"one", lost}, []string{"two", lost}, []string{"three", lost})
}

func TestHTTPWrongToken(t *testing.T) {
	t.Parallel()
	influx := startInflux(t, peers.WithAuth("me", "right"))
	influx.CreateDatabase("db")
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("me:wrong\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	// The file counts more than the environment.
	e := startEmitter(t, []string{envToken + "=me:right"}, "--interval", "50ms", "--token-file", token,
		"--output", influx.URL+"/write?db=db", "--output", influx.URL+"/api/v2/write?org=any&bucket=db")
	e.logs(2, "401 Unauthorized: authorization failed")
	e.gathers(5)
	if err := os.WriteFile(token, []byte("me:right\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	e.logs(2, "takes metrics again")
	if code := e.end(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	if lines := strings.Count(peers.WithoutPace(e.Log()), "\n"); lines != 4 || strings.Contains(e.Log(), "wrong") || strings.Contains(e.Log(), "right") {
		t.Errorf("the log has %d lines, want 4, and no token:\n%s", lines, e.Log())
	}

	_, stderr, code := run(t, []string{envToken + "=me:right"}, "emit", "--once", "--output", influx.URL+"/write?db=db")
	if stderr != "" || code != exitDone {
		t.Errorf("by the environment: exit code %d, standard error %q", code, stderr)
	}
	stdout, stderr, code := run(t, []string{envToken + "=me:hush"}, "emit", "--once", "--output", influx.URL+"/write?db=db")
	checkFailure(t, stdout, stderr, code, exitFailed, "401 Unauthorized: authorization failed")
	if strings.Contains(stderr, "hush") {
		t.Errorf("standard error tells the token: %s", stderr)
	}
}

// testHTTPMissingDatabase has a database made while metrics wait for it: none is
// lost.
func testHTTPMissingDatabase(t *testing.T, influx *peers.Influx) {
	e := startEmitter(t, nil, "--interval", "50ms", "--output", influx.URL+"/write?db=missing")
	e.logs(1, `404 Not Found: database not found: "missing"`)
	e.gathers(5)
	influx.CreateDatabase("missing")
	e.logs(1, "takes metrics again")
	e.gathers(3)
	if code := e.end(); code != exitDone {
		t.Errorf("exit code %d", code)
	}
	e.checkLog([]string{"does not take metrics", "are kept for later"}, []string{"again", "were waiting"})
	checkStored(t, influx, "missing", e.points())

	stdout, stderr, code := run(t, nil, "emit", "--once", "--output", influx.URL+"/api/v2/write?org=any&bucket=none")
	checkFailure(t, stdout, stderr, code, exitFailed, `404 Not Found: database not found: "none"`, "2 metrics were not delivered")
}

func testHTTPFieldTypeConflict(t *testing.T, influx *peers.Influx) {
	influx.CreateDatabase("conflict")
	resp, err := http.Post(influx.URL+"/write?db=conflict", "text/plain", strings.NewReader(`netstat,ip_version=4 udp_socket="many"`+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatalf("write: %s", resp.Status)
	}
	e := startEmitter(t, nil, "--interval", "50ms", "--output", influx.URL+"/write?db=conflict")
	e.logs(1, "field type conflict")
	e.gathers(5)
	if code := e.end(); code != exitFailed {
		t.Errorf("exit code %d, want %d", code, exitFailed)
	}
	e.checkLog([]string{"400 Bad Request: partial write: field type conflict", "udp_socket"}, []string{"not delivered", "were refused", "field type conflict"})
}

// TestHTTPS has a server whose certificate the system does not know, and then
// does.
func TestHTTPS(t *testing.T) {
	t.Parallel()
	requests := make(chan string, 10)
	peer := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests <- r.URL.String() + " " + r.Header.Get("Authorization") + " " + r.UserAgent()
		w.WriteHeader(http.StatusNoContent)
	}))
	peer.Config.ErrorLog = log.New(io.Discard, "", 0) // the handshake that fails
	peer.StartTLS()
	defer peer.Close()
	url := peer.URL + "/api/v3/write_lp?db=x"
	stdout, stderr, code := run(t, nil, "emit", "--once", "--output", url)
	checkFailure(t, stdout, stderr, code, exitFailed, "2 metrics were not delivered", "certificate")

	ca := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: peer.Certificate().Raw})
	if err := os.WriteFile(ca, text, 0o644); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code = run(t, []string{"SSL_CERT_FILE=" + ca, envToken + "=apiv3_x"}, "emit", "--once", "--output", url)
	if stdout != "" || stderr != "" || code != exitDone {
		t.Fatalf("exit code %d, output %q, standard error %q", code, stdout, stderr)
	}
	if got, want := <-requests, "/api/v3/write_lp?db=x&precision=nanosecond Bearer apiv3_x l4stat/"+version(); got != want {
		t.Errorf("got the request %q, want %q", got, want)
	}
}

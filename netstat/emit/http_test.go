package emit_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
	"unicode"

	"github.com/l4stat/l4stat/netstat/emit"
)

// server answers requests as its script says and keeps what they had.
type server struct {
	// script gives the answer to the request number n, from 0; nil is 204.
	script func(n int, r *http.Request) (*http.Response, error)

	mu       sync.Mutex
	requests []received
}

type received struct {
	*http.Request
	at   time.Time
	text string // of the body, unpacked
}

// RoundTrip makes the server a transport, for tests with a clock of their own.
func (s *server) RoundTrip(r *http.Request) (*http.Response, error) {
	zr, err := gzip.NewReader(r.Body)
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(zr)
	if err != nil {
		return nil, err
	}
	_ = r.Body.Close()
	s.mu.Lock()
	n := len(s.requests)
	s.requests = append(s.requests, received{r, time.Now(), string(text)})
	s.mu.Unlock()
	if s.script != nil {
		return s.script(n, r)
	}
	return answer(http.StatusNoContent, ""), nil
}

// texts gives the bodies so far.
func (s *server) texts() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	texts := make([]string, len(s.requests))
	for i, r := range s.requests {
		texts[i] = r.text
	}
	return texts
}

// times gives how long after the first request the others came.
func (s *server) times() []time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	times := make([]time.Duration, len(s.requests))
	for i, r := range s.requests {
		times[i] = r.at.Sub(s.requests[0].at)
	}
	return times
}

// answer makes an answer; header is keys and values in turn.
func answer(status int, body string, header ...string) *http.Response {
	h := http.Header{}
	for pair := range slices.Chunk(header, 2) {
		h.Set(pair[0], pair[1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body))}
}

// always gives the same answer.
func always(status int, body string, header ...string) func(int, *http.Request) (*http.Response, error) {
	return func(int, *http.Request) (*http.Response, error) { return answer(status, body, header...), nil }
}

var errRefused = errors.New("connection refused")

// warnings collects what Warn is told.
type warnings struct {
	mu    sync.Mutex
	lines []string
}

func (w *warnings) warn(line string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.lines = append(w.lines, line)
}

// wait waits until there are so many.
func (w *warnings) wait(t *testing.T, n int) {
	t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		w.mu.Lock()
		enough := len(w.lines) >= n
		w.mu.Unlock()
		if enough {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("there are no %d warnings: %q", n, w.lines)
		}
	}
}

// check checks that there are as many warnings as words lists, each having its
// words.
func (w *warnings) check(t *testing.T, words ...[]string) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.lines) != len(words) {
		t.Errorf("there are %d warnings, want %d:\n%s", len(w.lines), len(words), strings.Join(w.lines, "\n"))
		return
	}
	for i, line := range w.lines {
		checkWords(t, line, words[i]...)
	}
}

// checkWords checks that a line is one and has those words.
func checkWords(t *testing.T, line string, words ...string) {
	t.Helper()
	for _, word := range words {
		if !strings.Contains(line, word) {
			t.Errorf("%q does not have %q", line, word)
		}
	}
	if strings.ContainsFunc(line, unicode.IsControl) {
		t.Errorf("%q has control characters", line)
	}
}

// sleep lets time go by, and then all happen that is to happen by then.
func sleep(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

const writeURL = "http://db.example:8086/write?db=x"

func newHTTP(t *testing.T, url string, o emit.HTTPOptions) emit.Output {
	t.Helper()
	out, err := emit.NewHTTP(url, newEncoder(t, emit.Second, nil), o)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func checkTexts(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("the requests were\n%q, want\n%q", got, want)
	}
}

// checkClose checks that Close fails, and has those words in its error.
func checkClose(t *testing.T, out emit.Output, words ...string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := out.Close(ctx)
	if err == nil {
		t.Errorf("Close has no error, want one with %q", words)
		return
	}
	checkWords(t, err.Error(), words...)
}

// TestHTTPRequest is with a real server.
func TestHTTPRequest(t *testing.T) {
	t.Parallel()
	got := &server{}
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		resp, err := got.RoundTrip(r)
		if err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.WriteHeader(resp.StatusCode)
	}))
	defer peer.Close()
	out := newHTTP(t, peer.URL+"/some/where?db=a%20b&x=%2F", emit.HTTPOptions{
		Token:     func() (string, error) { return "me:secret", nil },
		UserAgent: "l4stat/1",
	})
	write(t, out, 1, 2)
	write(t, out)
	write(t, out, 3)
	closeOutput(t, out)
	checkTexts(t, got.texts(), line("1")+line("2"), line("3"))
	for _, r := range got.requests {
		if r.Method != http.MethodPost || r.RequestURI != "/some/where?db=a%20b&x=%2F" {
			t.Errorf("got %s %s", r.Method, r.RequestURI)
		}
		for key, want := range map[string]string{
			"Authorization":    "Token me:secret",
			"Content-Encoding": "gzip",
			"Content-Type":     "text/plain; charset=utf-8",
			"User-Agent":       "l4stat/1",
		} {
			if got := r.Header.Get(key); got != want {
				t.Errorf("%s is %q, want %q", key, got, want)
			}
		}
	}
}

func TestHTTPPrecision(t *testing.T) {
	t.Parallel()
	const v1, v2, v3, datakit = "/write?db=x", "/api/v2/write?org=o&bucket=b", "/api/v3/write_lp?db=x", "/v1/write/metric?input=netstat"
	tests := []struct {
		url       string
		precision emit.Precision
		want      string // "" for a refusal
	}{
		{v1, emit.Nanosecond, v1},
		{v1, emit.Microsecond, v1 + "&precision=u"},
		{v1, emit.Millisecond, v1 + "&precision=ms"},
		{v1, emit.Second, v1 + "&precision=s"},
		{"/insert/0/influx/write", emit.Second, "/insert/0/influx/write?precision=s"},
		{v1 + "&precision=s", emit.Second, v1 + "&precision=s"},
		{v1 + "&precision=ns", emit.Nanosecond, v1 + "&precision=ns"},
		{v1 + "&precision=s", emit.Nanosecond, ""},
		{v1 + "&precision=us", emit.Microsecond, ""}, // 1.x takes it as nanoseconds, or refuses it
		{v1 + "&precision=h", emit.Second, ""},
		{v1 + "&precision=s&precision=ms", emit.Second, ""},
		{v1 + "&precision=", emit.Nanosecond, ""},
		{v2, emit.Nanosecond, v2},
		{v2, emit.Microsecond, v2 + "&precision=us"},
		{v2, emit.Second, v2 + "&precision=s"},
		{v2 + "&precision=n", emit.Nanosecond, ""},
		{v3, emit.Nanosecond, v3 + "&precision=nanosecond"}, // it would guess
		{v3, emit.Microsecond, v3 + "&precision=microsecond"},
		{v3, emit.Millisecond, v3 + "&precision=millisecond"},
		{v3, emit.Second, v3 + "&precision=second"},
		{v3 + "&precision=auto", emit.Second, v3 + "&precision=auto"},
		{v3 + "&precision=ms", emit.Second, ""},
		{datakit, emit.Nanosecond, datakit},
		{datakit, emit.Millisecond, datakit + "&precision=ms"},
		{"/telegraf", emit.Second, "/telegraf"},
		{"/telegraf?precision=h", emit.Second, "/telegraf?precision=h"},
	}
	for _, tt := range tests {
		t.Run(tt.url+" "+string(tt.precision), func(t *testing.T) {
			t.Parallel()
			var s server
			out, err := emit.NewHTTP("http://db"+tt.url, newEncoder(t, tt.precision, nil), emit.HTTPOptions{Transport: &s})
			if tt.want == "" {
				if err == nil {
					t.Fatal("the URL was accepted")
				}
				checkWords(t, err.Error(), "precision=", "written in "+string(tt.precision), "leave it out")
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			write(t, out, 1)
			closeOutput(t, out)
			if got := s.requests[0].URL.RequestURI(); got != tt.want {
				t.Errorf("the request is to %s, want %s", got, tt.want)
			}
		})
	}
}

func TestHTTPBadURL(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		url    string
		words  []string
		secret bool
	}{
		"user and password":   {"http://me:hush@db/write", []string{"http://db/write", "user"}, true},
		"user":                {"http://hush@db/write", []string{"http://db/write"}, true},
		"u":                   {"http://db/write?db=x&u=hush", []string{"http://db/write", `"u"`}, true},
		"p":                   {"http://db/write?p=hush&db=x", []string{`"p"`}, true},
		"token":               {"http://db/v1/write/metric?token=hush", []string{`"token"`}, true},
		"password with slash": {"http://me:hu/hush@db/write", []string{"cannot be understood"}, false},
		"control character":   {"http://db/write?db=hush\n", []string{"cannot be understood"}, false},
		"port 99999":          {"http://db:99999/write?db=hush", []string{"no port 99999", "1 to 65535"}, false},
		"port 0":              {"http://db:0/write", []string{"no port 0"}, false},
		"no host":             {"http:///write", []string{"a host"}, false},
		"port only":           {"http://:8086/write", []string{"a host"}, false},
		"scheme":              {"ftp://db/write", []string{"http://"}, false},
		"semicolon":           {"http://db/write?db=x;token=hush", []string{"%3B"}, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			out, err := emit.NewHTTP(tt.url, newEncoder(t, emit.Second, nil), emit.HTTPOptions{})
			if err == nil || out != nil {
				t.Fatalf("NewHTTP gave %v and the error %v", out, err)
			}
			checkWords(t, err.Error(), tt.words...)
			if strings.Contains(err.Error(), "hush") {
				t.Errorf("the error %q tells the secret", err)
			}
			if errors.Is(err, emit.ErrSecretInURL) != tt.secret {
				t.Errorf("the error %q: is it about a secret? want %v", err, tt.secret)
			}
		})
	}
	if _, err := emit.NewHTTP(writeURL, newEncoder(t, emit.Second, nil), emit.HTTPOptions{Options: emit.Options{BufferLimit: -1}}); err == nil {
		t.Error("a negative limit was accepted")
	}
}

// What is refused is dropped with the server's message; all else is tried again.
func TestHTTPStatus(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("ü", 10000)
	tests := []struct {
		name   string
		answer *http.Response
		again  bool
		words  []string
	}{
		{"OK", answer(200, "fine"), false, nil},
		{"no content", answer(204, ""), false, nil},
		{"InfluxDB 1.x", answer(404, `{"error":"database not found: \"x\""}`+"\n"), true, []string{"404 Not Found: ", `database not found: "x"`}},
		{"InfluxDB 2.x", answer(401, `{"code":"unauthorized","message":"unauthorized access"}`), true, []string{"401 Unauthorized: unauthorized access"}},
		{"InfluxDB 3.x", answer(400, `{"error":"partial write of line protocol occurred","data":[{"original_line":"m n=1i","line_number":1,"error_message":"invalid column type"}]}`), false, []string{"400 Bad Request: partial write of line protocol occurred: invalid column type"}},
		{"other data", answer(400, `{"error":"parsing failed","data":{"line_number":1}}`), false, []string{"400 Bad Request: parsing failed"}},
		{"text", answer(403, "no\r\n\x1b[31mway\x00\u202e"), true, []string{"403 Forbidden: no [31mway"}},
		{"page", answer(400, "<html>"+long), false, []string{"400 Bad Request: <html>ü"}},
		{"nothing", answer(400, ""), false, []string{"400 Bad Request"}},
		{"status without a name", answer(499, ""), true, []string{"499"}},
		{"unprocessable", answer(422, `{"message":"partial write"}`), false, []string{"422 Unprocessable Entity: partial write"}},
		{"no such method", answer(405, ""), true, []string{"405 Method Not Allowed"}},
		{"request timeout", answer(408, ""), true, []string{"408 Request Timeout"}},
		{"accepted", answer(202, `{"code":0,"error":null,"errors":[],"message":"ok"}`), false, nil},
		{"DataKit", answer(200, `{"content":null}`, "Content-Type", "application/json"), false, nil},
		{"login page", answer(200, "<p>Sign in</p>", "Content-Type", "text/html; charset=utf-8"), true, []string{"200 OK with a page of HTML", "login", "right URL"}},
		{"login page without a type", answer(200, "\n<!DOCTYPE HTML><title>Sign in</title>"), true, []string{"200 OK with a page of HTML"}},
		{"error in a success", answer(200, `{"error":"database not found: \"x\""}`), true, []string{"200 OK with an error in its body: database not found"}},
		{"errors in a success", answer(200, `{"errors":[{"reason":"full"}],"message":"not taken"}`), true, []string{"200 OK with an error in its body: not taken"}},
		{"no success", answer(200, `{"success":false,"message":"no"}`), true, []string{"200 OK with an error in its body: no"}},
		{"moved", answer(301, "", "Location", "https://me:hush@other/write?p=hush"), true, []string{"301", "https://other/write"}},
		{"see other", answer(303, "", "Location", "/other"), true, []string{"303", "http://db.example:8086/other"}},
		{"moved nowhere", answer(302, ""), true, []string{"302"}},
		{"not modified", answer(304, ""), true, []string{"304"}},
		{"too many requests", answer(429, `{"message":"slow down"}`), true, []string{"429", "slow down"}},
		{"server error", answer(500, `{"error":"timeout"}`), true, []string{"500", "timeout"}},
		{"not implemented", answer(501, ""), true, []string{"501"}},
		{"bad gateway", answer(502, "<html>"), true, []string{"502", "<html>"}},
		{"unavailable", answer(503, ""), true, []string{"503 Service Unavailable"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var w warnings
				s := &server{script: func(n int, r *http.Request) (*http.Response, error) {
					if n == 0 {
						tt.answer.Request = r
						return tt.answer, nil
					}
					return answer(204, ""), nil
				}}
				out := newHTTP(t, writeURL, emit.HTTPOptions{Transport: s, Options: emit.Options{Warn: w.warn}})
				write(t, out, 1, 2)
				sleep(time.Second)
				switch {
				case tt.words == nil: // delivered
					w.check(t)
					checkTexts(t, s.texts(), line("1")+line("2"))
				case tt.again:
					w.check(t, append(tt.words, writeURL, "does not take"), []string{"again", "2 were waiting"})
					checkTexts(t, s.texts(), line("1")+line("2"), line("1")+line("2"))
				default:
					w.check(t, append(tt.words, writeURL, "2 so far", "dropped"))
					checkTexts(t, s.texts(), line("1")+line("2"))
				}
				for _, text := range w.lines {
					if len(text) > 700 || strings.Contains(text, "hush") {
						t.Errorf("the warning has %d bytes: %q", len(text), text)
					}
				}
				write(t, out, 3)
				synctest.Wait() // and Warn is told how it ended
				closeOutput(t, out)
				if texts := s.texts(); texts[len(texts)-1] != line("3") {
					t.Errorf("the next metrics did not arrive; requests were %q", texts)
				}
			})
		})
	}
}

// A redirect that keeps the POST a POST is followed, but to no other scheme, host
// or port: the token would go along.
func TestHTTPRedirect(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		name     string
		from, to string
		want     []string // where requests go
	}{
		{"elsewhere", "http://db/write", "http://DB:80/other", []string{"http://db/write?precision=s", "http://DB:80/other"}},
		{"to TLS", "http://db/write", "https://db/write", []string{"http://db/write?precision=s"}},
		{"to another port", "http://db/write", "http://db:8080/write", []string{"http://db/write?precision=s"}},
		{"to another host", "http://db/write", "http://sub.db/write", []string{"http://db/write?precision=s"}},
		{"from TLS", "https://db/write", "http://db/write", []string{"https://db/write?precision=s"}},
		{"in a circle", "http://db/write", "http://db/write?precision=s", slices.Repeat([]string{"http://db/write?precision=s"}, 10)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := &server{}
			s.script = func(_ int, r *http.Request) (*http.Response, error) {
				if r.URL.String() == tt.from+"?precision=s" {
					resp := answer(308, "", "Location", tt.to)
					resp.Request = r
					return resp, nil
				}
				return answer(204, ""), nil
			}
			out := newHTTP(t, tt.from, emit.HTTPOptions{Transport: s})
			write(t, out, 1)
			if err := out.Close(context.Background()); (err == nil) != (tt.name == "elsewhere") {
				t.Error(err)
			}
			var got []string
			for _, r := range s.requests {
				got = append(got, r.URL.String())
				if r.Method != http.MethodPost || r.text != line("1") {
					t.Errorf("got %s with %q", r.Method, r.text)
				}
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("requests went to %q, want %q", got, tt.want)
			}
		})
	}
}

func TestHTTPDelay(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		answer   func(at time.Time) *http.Response // nil for no connection
		min, max []time.Duration                   // between the attempts
	}{
		{
			"no connection", nil,
			[]time.Duration{time.Second / 4, time.Second / 2, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 15 * time.Second, 15 * time.Second},
			[]time.Duration{time.Second / 2, time.Second, 2 * time.Second, 4 * time.Second, 8 * time.Second, 16 * time.Second, 30 * time.Second, 30 * time.Second},
		},
		{
			"seconds",
			func(time.Time) *http.Response { return answer(429, "", "Retry-After", "7") },
			[]time.Duration{7 * time.Second, 7 * time.Second}, []time.Duration{7 * time.Second, 7 * time.Second},
		},
		{
			"date",
			func(at time.Time) *http.Response {
				return answer(503, "", "Retry-After", at.Add(40*time.Second).UTC().Format(http.TimeFormat))
			},
			[]time.Duration{39 * time.Second}, []time.Duration{40 * time.Second},
		},
		{
			"date of the past",
			func(time.Time) *http.Response {
				return answer(503, "", "Retry-After", "Fri, 31 Dec 1999 23:59:59 GMT")
			},
			[]time.Duration{time.Second / 4}, []time.Duration{time.Second / 2},
		},
		{
			"too long",
			func(time.Time) *http.Response { return answer(503, "", "Retry-After", "999999999999") },
			[]time.Duration{time.Hour}, []time.Duration{time.Hour},
		},
		{
			"negative",
			func(time.Time) *http.Response { return answer(503, "", "Retry-After", "-5") },
			[]time.Duration{time.Second / 4}, []time.Duration{time.Second / 2},
		},
		{
			"neither",
			func(time.Time) *http.Response { return answer(503, "", "Retry-After", "soon") },
			[]time.Duration{time.Second / 4}, []time.Duration{time.Second / 2},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				s := &server{script: func(n int, _ *http.Request) (*http.Response, error) {
					switch {
					case n >= len(tt.min):
						return answer(204, ""), nil
					case tt.answer == nil:
						return nil, errRefused
					default:
						return tt.answer(time.Now()), nil
					}
				}}
				out := newHTTP(t, writeURL, emit.HTTPOptions{Transport: s})
				write(t, out, 1)
				sleep(3 * time.Hour)
				times := s.times()
				if len(times) != len(tt.min)+1 {
					t.Fatalf("%d attempts, want %d", len(times), len(tt.min)+1)
				}
				for i := range tt.min {
					if d := times[i+1] - times[i]; d < tt.min[i] || d > tt.max[i] {
						t.Errorf("%v before attempt %d, want %v to %v", d, i+1, tt.min[i], tt.max[i])
					}
				}
				closeOutput(t, out)
			})
		})
	}
}

// hang answers nothing until the request is given up.
func hang(_ int, r *http.Request) (*http.Response, error) {
	<-r.Context().Done()
	return nil, r.Context().Err()
}

// drip is an answer whose body does not end while its request goes on.
func drip(status int, r *http.Request) *http.Response {
	resp := answer(status, "")
	resp.Body = io.NopCloser(readerFunc(func(p []byte) (int, error) {
		select {
		case <-time.After(time.Second):
			p[0] = ' '
			return 1, nil
		case <-r.Context().Done():
			return 0, r.Context().Err()
		}
	}))
	return resp
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A server that takes its time over the body of its answer is told of, since
// metrics wait for it.
func TestHTTPDrip(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w warnings
		s := &server{script: func(n int, r *http.Request) (*http.Response, error) {
			if n < 2 {
				return drip(200, r), nil
			}
			return answer(204, ""), nil
		}}
		out := newHTTP(t, writeURL, emit.HTTPOptions{Transport: s, Options: emit.Options{Warn: w.warn}})
		for i := range int64(52) {
			write(t, out, i)
			sleep(500 * time.Millisecond)
		}
		w.check(t, []string{"does not take metrics: its answer began and had no end within 10s"}, []string{"takes metrics again"})
		closeOutput(t, out)
	})
}

// What a token is refused for is kept until the token is mended.
func TestHTTPTokenExpired(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w warnings
		var good atomic.Bool
		s := &server{script: func(int, *http.Request) (*http.Response, error) {
			if good.Load() {
				return answer(204, ""), nil
			}
			return answer(401, ""), nil
		}}
		out := newHTTP(t, writeURL, emit.HTTPOptions{Transport: s, Options: emit.Options{Warn: w.warn}})
		for i := range int64(26) {
			write(t, out, i)
			sleep(10 * time.Second)
		}
		good.Store(true)
		sleep(time.Minute)
		w.check(t, []string{"401"}, []string{"26 were waiting"})
		closeOutput(t, out)
		taken := s.texts()[len(s.texts())-26:]
		for i, text := range taken {
			if text != line(fmt.Sprint(i)) {
				t.Errorf("request %d has %q", i, text)
			}
		}
	})
}

// A request that is too large is sent in parts, down to a metric, which alone is
// dropped; all of it in order.
func TestHTTPTooLarge(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w warnings
		var taken []string
		s := &server{}
		s.script = func(n int, _ *http.Request) (*http.Response, error) {
			text := s.texts()[n]
			if strings.Count(text, "\n") > 3 || strings.Contains(text, "n=5i") {
				return answer(413, ""), nil
			}
			taken = append(taken, text)
			return answer(204, ""), nil
		}
		out := newHTTP(t, writeURL, emit.HTTPOptions{Transport: s, Options: emit.Options{Warn: w.warn}})
		write(t, out, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9)
		write(t, out, 10)
		checkClose(t, out, "1 metrics were not delivered; 1 were refused: 413")
		var want string
		for _, n := range []int{0, 1, 2, 3, 4, 6, 7, 8, 9, 10} {
			want += line(fmt.Sprint(n))
		}
		if got := strings.Join(taken, ""); got != want {
			t.Errorf("the server took\n%s, want\n%s", got, want)
		}
	})
}

// A server that goes on and off, or that says something else each time, does not
// fill a log; and what it refused is still all counted.
func TestHTTPBoundedLog(t *testing.T) {
	t.Parallel()
	scripts := map[string]func(n int) *http.Response{
		"on and off": func(n int) *http.Response { return answer([]int{503, 204}[n%2], "") },
		"a refusal of its own for each": func(n int) *http.Response {
			return answer(400, fmt.Sprintf("request %d at %v", n, time.Now()))
		},
		"by turns": func(n int) *http.Response { return answer([]int{400, 503, 204, 422, 401}[n%5], fmt.Sprint(n)) },
	}
	for name, script := range scripts {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var w warnings
				refused := 0
				var quiet atomic.Bool
				s := &server{script: func(n int, _ *http.Request) (*http.Response, error) {
					if quiet.Load() {
						return answer(204, ""), nil
					}
					resp := script(n)
					if resp.StatusCode == 400 || resp.StatusCode == 422 {
						refused++
					}
					return resp, nil
				}}
				out := newHTTP(t, writeURL, emit.HTTPOptions{Transport: s, Options: emit.Options{Warn: w.warn}})
				for i := range int64(250) {
					write(t, out, i)
					sleep(100 * time.Millisecond)
				}
				if n := len(w.lines); n < 2 || n > 7 {
					t.Errorf("%d lines in 25 s:\n%s", n, strings.Join(w.lines, "\n"))
				}
				quiet.Store(true)
				sleep(time.Hour)
				write(t, out, 1)
				sleep(time.Hour)
				closeOutput(t, out) // all was told
				told := 0
				for _, found := range regexp.MustCompile(`(\d+) were refused`).FindAllStringSubmatch(strings.Join(w.lines, "\n"), -1) {
					n, _ := strconv.Atoi(found[1])
					told += n
				}
				if told != refused {
					t.Errorf("%d were refused, %d were told of:\n%s", refused, told, strings.Join(w.lines, "\n"))
				}
			})
		})
	}
}

func TestHTTPTimeout(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w warnings
		s := &server{script: func(n int, r *http.Request) (*http.Response, error) {
			if n > 0 {
				return answer(204, ""), nil
			}
			return hang(n, r)
		}}
		out := newHTTP(t, writeURL, emit.HTTPOptions{Transport: s, Options: emit.Options{Warn: w.warn}})
		write(t, out, 1)
		sleep(9 * time.Second)
		w.check(t)
		sleep(2 * time.Second)
		w.check(t, []string{"no answer within 10s"}, []string{"again"})
		closeOutput(t, out)
	})
}

// The server fails at random: it is away, it is busy, or it takes the metrics
// and the answer is lost. Everything arrives, in order; what came before arrives
// again only as the same request.
func TestHTTPOutages(t *testing.T) {
	t.Parallel()
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			rnd := rand.New(rand.NewPCG(seed, 0))
			var taken []string
			s := &server{}
			s.script = func(n int, _ *http.Request) (*http.Response, error) {
				time.Sleep(time.Duration(rnd.IntN(1000)) * time.Millisecond)
				text := s.texts()[n]
				switch rnd.IntN(5) {
				case 0:
					return nil, errRefused
				case 1:
					return answer(503, ""), nil
				case 2:
					taken = append(taken, text)
					return nil, io.ErrUnexpectedEOF
				default:
					taken = append(taken, text)
					return answer(204, ""), nil
				}
			}
			out := newHTTP(t, writeURL, emit.HTTPOptions{Transport: s})
			const n = 100
			for i := range int64(n) {
				before := time.Now()
				write(t, out, i)
				if waited := time.Since(before); waited > 0 {
					t.Errorf("Write took %v", waited)
				}
				sleep(time.Second)
			}
			sleep(time.Hour)
			closeOutput(t, out)
			want := make([]string, n)
			for i := range want {
				want[i] = line(fmt.Sprint(i))
			}
			if got := slices.Compact(taken); !slices.Equal(got, want) {
				t.Errorf("seed %d: the server took\n%q", seed, got)
			}
		})
	}
}

// An outage is two warnings, however long it is.
func TestHTTPOutageWarnings(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w warnings
		var up atomic.Bool
		s := &server{script: func(int, *http.Request) (*http.Response, error) {
			if up.Load() {
				return answer(204, ""), nil
			}
			return nil, errRefused
		}}
		out := newHTTP(t, writeURL, emit.HTTPOptions{Transport: s, Options: emit.Options{Warn: w.warn}})
		for range 2 {
			w.lines = nil
			for i := range int64(100) {
				write(t, out, i, i)
				sleep(10 * time.Second)
			}
			w.check(t, []string{"does not take metrics: connection refused", "10000"})
			up.Store(true)
			sleep(time.Minute)
			w.check(t, []string{"does not take"}, []string{"again", "200 were waiting"})
			up.Store(false)
		}
		closeOutput(t, out)
	})
}

func TestHTTPOverrun(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w warnings
		var up atomic.Bool
		s := &server{}
		s.script = func(int, *http.Request) (*http.Response, error) {
			if up.Load() {
				return answer(204, ""), nil
			}
			return nil, errRefused
		}
		out := newHTTP(t, writeURL, emit.HTTPOptions{Transport: s, Options: emit.Options{Warn: w.warn, BufferLimit: 7}})
		for i := range int64(100) {
			write(t, out, 2*i, 2*i+1)
			sleep(time.Second)
		}
		// What is dropped is dropped whole: 3 batches of 2 are left.
		w.check(t, []string{"does not take", "7"}, []string{"buffer of 7 metrics is full", "oldest", "2 so far"})
		up.Store(true)
		n := len(s.texts())
		sleep(time.Minute)
		w.check(t, nil, nil, []string{"again", "6 were waiting", "194 were dropped"})
		checkTexts(t, s.texts()[n:], line("194")+line("195"), line("196")+line("197"), line("198")+line("199"))
		closeOutput(t, out)
	})
}

// What is under way stays in its place while others are dropped, and a batch
// above the limit is sent all the same.
func TestHTTPOverrunUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w warnings
		s := &server{script: func(int, *http.Request) (*http.Response, error) {
			time.Sleep(5 * time.Second)
			return answer(204, ""), nil
		}}
		out := newHTTP(t, writeURL, emit.HTTPOptions{Transport: s, Options: emit.Options{Warn: w.warn, BufferLimit: 1}})
		for i := range int64(4) {
			write(t, out, i, i)
			synctest.Wait()
		}
		sleep(time.Minute)
		checkTexts(t, s.texts(), line("0")+line("0"), line("3")+line("3"))
		w.check(t, []string{"is full", "2 so far"}, []string{"caught up", "4 were dropped"})
		closeOutput(t, out)
	})
}

func TestHTTPRefusals(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w warnings
		status := 400
		s := &server{script: func(int, *http.Request) (*http.Response, error) { return answer(status, "no"), nil }}
		out := newHTTP(t, writeURL, emit.HTTPOptions{Transport: s, Options: emit.Options{Warn: w.warn}})
		emit := func(n int) {
			for range n {
				write(t, out, 1)
				sleep(10 * time.Second)
			}
		}
		emit(59)
		w.check(t, []string{"1 so far", "400 Bad Request: no"})
		emit(2)
		w.check(t, nil, []string{"61 so far", "400"})
		status = 422
		emit(1)
		w.check(t, nil, nil, []string{"62 so far", "422"})
		status = 204
		emit(3)
		w.check(t, nil, nil, nil, []string{"again", "1 were waiting", "62 were refused"})

		// A server that goes on and off is not told of each time.
		for range 30 {
			status = 422
			emit(1)
			status = 204
			emit(1)
		}
		w.check(t, nil, nil, nil, nil, []string{"422"}, []string{"again"})
		// But the loss is, in the end.
		status = 422
		emit(1)
		status = 204
		checkClose(t, out, "not delivered", "refused", "422")
	})
}

func TestHTTPClose(t *testing.T) {
	t.Parallel()
	const limit = time.Second // of checkClose
	tests := []struct {
		name   string
		script func(n int, r *http.Request) (*http.Response, error)
		min    time.Duration // that Close takes; at most the limit
		want   []string      // requests once Close is called
		words  []string      // of the error
	}{
		{"back at last", nil, 0, []string{"1", "2", "3"}, nil},
		{"away", func(int, *http.Request) (*http.Response, error) { return nil, errRefused }, 0, []string{"1"}, []string{"3 metrics were not delivered: connection refused"}},
		{"busy", always(503, "busy", "Retry-After", "600"), 0, []string{"1"}, []string{"3 metrics", "503", "busy"}},
		{"refusing", always(400, "no"), 0, []string{"1", "2", "3"}, []string{"3 metrics", "3 were refused", "400 Bad Request: no"}},
		{"hanging", hang, limit, []string{"1"}, []string{"3 metrics were not delivered: connection refused"}},
		{
			"slow",
			func(n int, r *http.Request) (*http.Response, error) {
				select {
				case <-time.After(600 * time.Millisecond):
					return answer(204, ""), nil
				case <-r.Context().Done():
					return hang(n, r)
				}
			},
			limit, []string{"1", "2"}, []string{"metrics were not delivered"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var w warnings
				s := &server{script: func(int, *http.Request) (*http.Response, error) { return nil, errRefused }}
				out := newHTTP(t, writeURL, emit.HTTPOptions{Transport: s, Options: emit.Options{Warn: w.warn}})
				for i := range int64(3) {
					write(t, out, i+1)
					sleep(20 * time.Second)
				}
				s.script, s.requests = tt.script, nil
				start := time.Now()
				if tt.words == nil {
					closeOutput(t, out)
				} else {
					checkClose(t, out, tt.words...)
				}
				if took := time.Since(start); took < tt.min || took > max(limit, tt.min)+time.Second {
					t.Errorf("Close took %v", took)
				}
				w.check(t, []string{"does not take"})
				var want []string
				for _, n := range tt.want {
					want = append(want, line(n))
				}
				checkTexts(t, s.texts(), want...)

				closeOutput(t, out) // once more
				if err := out.Write(context.Background(), metrics(1)); err == nil {
					t.Error("Write after Close has no error")
				}
			})
		})
	}
}

// What is under way when Close is called gets its time, and another attempt.
func TestHTTPCloseUnderWay(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &server{script: func(n int, _ *http.Request) (*http.Response, error) {
			time.Sleep(time.Second / 2)
			if n == 0 {
				return nil, errRefused
			}
			return answer(204, ""), nil
		}}
		out := newHTTP(t, writeURL, emit.HTTPOptions{Transport: s})
		write(t, out, 1)
		write(t, out, 2)
		synctest.Wait()
		closeOutput(t, out)
		checkTexts(t, s.texts(), line("1"), line("1"), line("2"))
	})
}

// Nobody is told before Close: Close tells what happened all along.
func TestHTTPWithoutWarn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := &server{script: func(n int, _ *http.Request) (*http.Response, error) {
			if n == 0 {
				return answer(400, "bad line"), nil
			}
			return answer(204, ""), nil
		}}
		out := newHTTP(t, writeURL, emit.HTTPOptions{Transport: s})
		write(t, out, 1, 2)
		write(t, out, 3)
		synctest.Wait()
		checkClose(t, out, "2 metrics", "2 were refused", "400 Bad Request: bad line")
	})
}

func TestHTTPToken(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ path, token, want string }{
		{"/write?db=x", "a", "Token a"},
		{"/api/v2/write?org=o&bucket=b", "user:pass", "Token user:pass"},
		{"/api/v3/write_lp?db=x", "apiv3_a", "Bearer apiv3_a"},
		{"/v1/write/metric", "a", "Token a"},
		{"/telegraf", "Basic YTpi", "Basic YTpi"},
		{"/write?db=x", "Bearer a.b.c", "Bearer a.b.c"},
	} {
		var s server
		out := newHTTP(t, "http://db"+tt.path, emit.HTTPOptions{Transport: &s, Token: func() (string, error) { return tt.token, nil }})
		write(t, out, 1)
		closeOutput(t, out)
		if got := s.requests[0].Header.Get("Authorization"); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.path, got, tt.want)
		}
	}
	for token, words := range map[string]string{"": "empty", "hush\nhush": "line break", "hush\x7f": "control"} {
		_, err := emit.NewHTTP(writeURL, newEncoder(t, emit.Second, nil), emit.HTTPOptions{Token: func() (string, error) { return token, nil }})
		if err == nil {
			t.Fatalf("the token %q was accepted", token)
		}
		checkWords(t, err.Error(), words)
		if strings.Contains(err.Error(), "hush") {
			t.Errorf("the error %q tells the token", err)
		}
	}
	missing := errors.New("no such file")
	if _, err := emit.NewHTTP(writeURL, newEncoder(t, emit.Second, nil), emit.HTTPOptions{Token: func() (string, error) { return "", missing }}); !errors.Is(err, missing) {
		t.Errorf("got the error %v, want %v", err, missing)
	}
}

// A token that changes is used at once; while there is none, metrics wait.
func TestHTTPTokenRotates(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var w warnings
		token := "one"
		var missing atomic.Bool
		s := &server{script: func(_ int, r *http.Request) (*http.Response, error) {
			if r.Header.Get("Authorization") != "Token "+token {
				return answer(401, ""), nil
			}
			return answer(204, ""), nil
		}}
		out := newHTTP(t, writeURL, emit.HTTPOptions{Transport: s, Options: emit.Options{Warn: w.warn}, Token: func() (string, error) {
			if missing.Load() {
				return "", errors.New("read the token: no such file")
			}
			return token, nil
		}})
		write(t, out, 1)
		synctest.Wait()
		token = "two"
		write(t, out, 2)
		synctest.Wait()
		w.check(t)
		missing.Store(true)
		write(t, out, 3)
		synctest.Wait()
		w.check(t, []string{"no such file"})
		missing.Store(false)
		sleep(time.Second)
		w.check(t, nil, []string{"again", "1 were waiting"})
		checkTexts(t, s.texts(), line("1"), line("2"), line("3"))
		closeOutput(t, out)
	})
}

// The errors of net/http name the URL, and with a proxy more. None has the token.
func TestHTTPSecrets(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]func(int, *http.Request) (*http.Response, error){
		"no connection": func(int, *http.Request) (*http.Response, error) {
			return nil, &url.Error{Op: "Post", URL: "http://hush", Err: errRefused}
		},
		"refusal": always(401, "unauthorized"),
		"busy":    always(503, "busy"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var w warnings
				s := &server{script: script}
				out := newHTTP(t, writeURL, emit.HTTPOptions{Transport: s, Options: emit.Options{Warn: w.warn}, Token: func() (string, error) { return "hush", nil }})
				write(t, out, 1)
				synctest.Wait()
				write(t, out, 2)
				synctest.Wait()
				err := out.Close(context.Background())
				if err == nil {
					t.Fatal("Close has no error")
				}
				for _, text := range append(w.lines, err.Error()) {
					if strings.Contains(text, "hush") {
						t.Errorf("%q tells the token", text)
					}
				}
			})
		})
	}
}

// Nor has any the values of parameters that may be secrets, not even where the
// server repeats them.
func TestHTTPSecretParameters(t *testing.T) {
	t.Parallel()
	const url = "http://db.example:8086/write?db=shown&password=hush1&api_key=hu%73h2&access_token=hush3&x=hush4"
	for name, script := range map[string]func(int, *http.Request) (*http.Response, error){
		"refusal": func(_ int, r *http.Request) (*http.Response, error) {
			return answer(400, "bad request: "+r.URL.String()+" "+fmt.Sprint(r.URL.Query(), r.Header)), nil
		},
		"redirect": func(_ int, r *http.Request) (*http.Response, error) {
			resp := answer(302, "", "Location", "https://me:hush5@db.example/?api_key=hush2")
			resp.Request = r
			return resp, nil
		},
		"proxy": func(int, *http.Request) (*http.Response, error) {
			return nil, errors.New(`invalid proxy address "http://me:hush5@proxy"`)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var w warnings
			out := newHTTP(t, url, emit.HTTPOptions{Transport: &server{script: script}, Options: emit.Options{Warn: w.warn}, Token: func() (string, error) { return "Bearer hush6", nil }})
			write(t, out, 1)
			w.wait(t, 1)
			write(t, out, 2)
			err := out.Close(context.Background())
			if err == nil {
				t.Fatal("Close has no error")
			}
			for _, text := range append(w.lines, err.Error()) {
				if strings.Contains(text, "hush") || strings.Contains(text, "hu%73h") {
					t.Errorf("%q tells a secret", text)
				}
			}
			if !strings.HasPrefix(w.lines[0], "http://db.example:8086/write?db=shown&password=***&api_key=***&access_token=***&x=*** ") {
				t.Errorf("the warning is %q", w.lines[0])
			}
		})
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"http://db:8086/write?db=x&precision=s":      "http://db:8086/write?db=x&precision=s",
		"http://db/write?DB=x&P=hush&hush&a=hush@b":  "http://db/write?DB=x&P=***&***&a=***",
		"http://me:hush@db/write#hush":               "http://***@db/write",
		"http://me:hu/sh@db/write":                   "http://***@db/write",
		"http://me:hu?sh@db/write":                   "http://***@db/write",
		"http://me:hu#sh@db/write":                   "http://***@db/write",
		"htpp:/me:hush@db":                           "***@db",
		"me:hush@localhost:8086":                     "***@localhost:8086",
		"localhost:8086":                             "localhost:8086",
		"https://db/api/v2/write?org=o&bucket=a%40b": "https://db/api/v2/write?org=o&bucket=a%40b",
		"http://db/\x1b[31mwrite?db=x":               "http://db/ [31mwrite?db=x",
	} {
		if got := emit.Redact(text); got != want {
			t.Errorf("%q is shown as %q, want %q", text, got, want)
		}
	}
}

// A caller that ends quietly when the reader of a pipe has gone away must not
// take a broken connection for that.
func TestHTTPBrokenConnection(t *testing.T) {
	t.Parallel()
	broken := func(int, *http.Request) (*http.Response, error) { return nil, syscall.EPIPE }
	out := newHTTP(t, writeURL, emit.HTTPOptions{Transport: &server{script: broken}})
	write(t, out, 1)
	err := out.Close(context.Background())
	if err == nil || errors.Is(err, syscall.EPIPE) || !strings.Contains(err.Error(), syscall.EPIPE.Error()) {
		t.Errorf("got the error %v, want one that tells of the broken pipe and is none", err)
	}
}

func TestHTTPWriteErrors(t *testing.T) {
	t.Parallel()
	var s server
	out := newHTTP(t, writeURL, emit.HTTPOptions{Transport: &s})
	bad := one("bad", 2, "a", "")
	if err := out.Write(context.Background(), append(metrics(1), bad, one("m", 3))); err == nil || !strings.Contains(err.Error(), "bad") {
		t.Errorf("the error %v does not name the metric that was left out", err)
	}
	if err := out.Write(context.Background(), append(metrics(), bad)); err == nil {
		t.Error("no error for a metric that cannot be encoded")
	}
	closeOutput(t, out)
	checkTexts(t, s.texts(), line("1")+line("3"))
}

// What waits takes little room: it is compressed.
func TestHTTPMemory(t *testing.T) {
	t.Parallel()
	var text bytes.Buffer
	s := &server{script: func(_ int, r *http.Request) (*http.Response, error) {
		if r.ContentLength <= 0 || r.ContentLength > int64(text.Len())/4 {
			return answer(400, fmt.Sprintf("%d bytes for %d", r.ContentLength, text.Len())), nil
		}
		return answer(204, ""), nil
	}}
	out := newHTTP(t, writeURL, emit.HTTPOptions{Transport: s})
	var numbers []int64
	for i := range int64(200) {
		numbers = append(numbers, i)
		text.WriteString(line(fmt.Sprint(i)))
	}
	write(t, out, numbers...)
	closeOutput(t, out)
	checkTexts(t, s.texts(), text.String())
}

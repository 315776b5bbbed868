package emit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	// requestTimeout is how long the server may take for its whole answer.
	requestTimeout = 10 * time.Second
	// maxRetryAfter bounds what a server may ask for.
	maxRetryAfter = time.Hour
	// maxMessage is how much of an answer is read, in bytes.
	maxMessage = 1 << 16
)

var (
	errNoAnswer   = fmt.Errorf("no answer within %v", requestTimeout)
	errHalfAnswer = fmt.Errorf("its answer began and had no end within %v", requestTimeout)
)

// send posts a batch once.
func (p *poster) send(ctx context.Context, b batch) error {
	authorization, err := p.authorization()
	if err != nil {
		return err
	}
	status, err := p.post(ctx, b.body, authorization)
	if err == nil {
		return nil
	}
	secrets := append(slices.Clip(p.secrets), authorization)
	if _, token, ok := strings.Cut(authorization, " "); ok {
		secrets = append(secrets, token)
	}
	err = errors.New(redactText(err.Error(), secrets))
	if status.code == 0 {
		return err
	}
	return &failure{error: err, verdict: status.verdict(), after: status.after}
}

// status is what an answer says beside its message.
type status struct {
	code  int // 0 without an answer
	after time.Duration
}

// verdict tells answers about the metrics that were sent from those about the
// server, the token or the way there, which say nothing of another attempt.
func (s status) verdict() verdict {
	switch s.code {
	case http.StatusBadRequest, http.StatusUnprocessableEntity:
		return drop
	case http.StatusRequestEntityTooLarge:
		return halve
	}
	return again
}

// post sends a request and reads its answer; the error is nil if the server took
// what was sent.
func (p *poster) post(ctx context.Context, body []byte, authorization string) (status, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, requestTimeout, errNoAnswer)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return status{}, err
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	req.Header.Set("Content-Encoding", "gzip")
	if p.userAgent != "" {
		req.Header.Set("User-Agent", p.userAgent)
	}
	resp, err := p.client.Do(req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return status{}, cause
		}
		for of := (*url.Error)(nil); errors.As(err, &of); {
			err = of.Err // without the URL, which whoever is told knows
		}
		return status{}, err
	}
	defer resp.Body.Close()
	// The connection can be used again once an answer is read to its end.
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxMessage))
	if resp.StatusCode/100 == 2 {
		switch {
		case context.Cause(ctx) == errNoAnswer:
			return status{}, errHalfAnswer
		case err != nil:
			return status{}, fmt.Errorf("read its answer: %w", err)
		}
		return status{}, successError(resp, answer)
	}
	s := status{code: resp.StatusCode, after: retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	return s, errors.New(statusText(resp, answer))
}

// successError returns why an answer of 2xx is none of a server that took the
// metrics; nil if it is.
func successError(resp *http.Response, body []byte) error {
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	start := bytes.ToLower(bytes.TrimLeft(body[:min(len(body), 512)], " \t\r\n\ufeff"))
	if kind == "text/html" || bytes.HasPrefix(start, []byte("<!doctype html")) || bytes.HasPrefix(start, []byte("<html")) {
		return fmt.Errorf("%s with a page of HTML, as a login or a proxy has; is it the right URL?", statusLine(resp))
	}
	var answer map[string]any
	if json.Unmarshal(body, &answer) != nil {
		return nil // whatever it says
	}
	if truthy(answer["error"]) || truthy(answer["errors"]) || truthy(answer["error_code"]) || answer["success"] == false || answer["status"] == "error" {
		return errors.New(statusLine(resp) + " with an error in its body: " + serverMessage(body))
	}
	return nil
}

// truthy reports whether a value of JSON says that there is something.
func truthy(value any) bool {
	switch v := value.(type) {
	case nil:
		return false
	case bool:
		return v
	case string:
		return v != ""
	case float64:
		return v != 0
	case []any:
		return len(v) > 0
	case map[string]any:
		return len(v) > 0
	}
	return true
}

// authorization returns the header of that name, "" for none.
func (p *poster) authorization() (string, error) {
	if p.token == nil {
		return "", nil
	}
	token, err := p.token()
	if err != nil {
		return "", err
	}
	switch {
	case token == "":
		return "", errors.New("the token is empty")
	case strings.ContainsFunc(token, unicode.IsControl):
		return "", errors.New("the token has a line break or another control character in it")
	}
	for _, scheme := range []string{"Basic ", "Bearer ", "Token "} {
		if strings.HasPrefix(token, scheme) {
			return token, nil
		}
	}
	return p.scheme + " " + token, nil
}

// checkRedirect follows no redirect that makes a POST a GET, as 301, 302 and 303
// do: the metrics would be lost and the answer would look like success. Nor does
// it follow one to another origin, with the token: net/http takes it along to
// another port of the host.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	if req.Method != first.Method || origin(req.URL) != origin(first.URL) || len(via) >= 10 {
		return http.ErrUseLastResponse
	}
	return nil
}

// origin returns the scheme, host and port of a URL.
func origin(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
	}
	return u.Scheme + "://" + net.JoinHostPort(strings.ToLower(u.Hostname()), port)
}

// retryAfter reads the header Retry-After, seconds or a time; 0 if it is neither.
func retryAfter(text string, now time.Time) time.Duration {
	if seconds, err := strconv.Atoi(text); err == nil {
		return time.Duration(max(0, min(seconds, int(maxRetryAfter/time.Second)))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil {
		return max(0, min(at.Sub(now), maxRetryAfter))
	}
	return 0
}

// statusLine is the status of an answer, with its name.
func statusLine(resp *http.Response) string {
	return strings.TrimSpace(strconv.Itoa(resp.StatusCode) + " " + http.StatusText(resp.StatusCode))
}

// statusText is the status of an answer and what the server says about it, in a
// line.
func statusText(resp *http.Response, body []byte) string {
	text := statusLine(resp)
	if location, err := resp.Location(); err == nil && resp.StatusCode/100 == 3 {
		return text + ": the server wants the request sent to " + bare(location)
	}
	if message := serverMessage(body); message != "" && message != http.StatusText(resp.StatusCode) {
		text += ": " + message
	}
	return text
}

// serverMessage gives what the server says in the body of an answer: InfluxDB
// says it in JSON, as "error" or "message", and 3.x adds "data" with what is
// wrong with each line; others just say it.
func serverMessage(body []byte) string {
	var answer struct {
		Error, Message string
		Data           []struct {
			Text string `json:"error_message"`
		}
	}
	_ = json.Unmarshal(body, &answer) // what does not fit stays empty
	switch {
	case answer.Error != "" && len(answer.Data) > 0 && answer.Data[0].Text != "":
		return oneLine(answer.Error + ": " + answer.Data[0].Text)
	case answer.Error != "":
		return oneLine(answer.Error)
	case answer.Message != "":
		return oneLine(answer.Message)
	}
	return oneLine(string(body))
}

// maxLine is how much of a server's message is shown, in bytes.
const maxLine = 500

// oneLine makes text fit for a line of a log or a terminal.
func oneLine(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD"))
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxLine {
		text = strings.ToValidUTF8(text[:maxLine], "") + "…"
	}
	return text
}

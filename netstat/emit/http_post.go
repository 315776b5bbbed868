package emit

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode"
)

const (
	// requestTimeout is how long the server may take to answer.
	requestTimeout = 10 * time.Second
	// minDelay and maxDelay are between attempts; each is twice the one before,
	// less up to a half at random so that many hosts do not come back at once.
	minDelay = 500 * time.Millisecond
	maxDelay = 30 * time.Second
	// maxRetryAfter bounds what a server may ask for.
	maxRetryAfter = time.Hour
	// maxMessage is how much of an answer is read, in bytes.
	maxMessage = 1 << 16
)

var errNoAnswer = fmt.Errorf("no answer within %v", requestTimeout)

// post sends a batch once. The error is a *refusal when the server answered.
func (h *httpOutput) post(b batch) error {
	ctx, cancel := context.WithTimeoutCause(h.ctx, requestTimeout, errNoAnswer)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url, bytes.NewReader(b.body))
	if err != nil {
		return err
	}
	authorization, err := h.authorization()
	if err != nil {
		return err
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	req.Header.Set("Content-Type", "text/plain; charset=utf-8")
	req.Header.Set("Content-Encoding", "gzip")
	if h.userAgent != "" {
		req.Header.Set("User-Agent", h.userAgent)
	}
	resp, err := h.client.Do(req)
	if err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return cause
		}
		for of := (*url.Error)(nil); errors.As(err, &of); {
			err = of.Err // without the URL, which whoever is told knows
		}
		return err
	}
	defer resp.Body.Close()
	// The connection can be used again once an answer is read to its end.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxMessage))
	if resp.StatusCode/100 == 2 {
		return nil
	}
	return &refusal{
		status:     resp.StatusCode,
		text:       statusText(resp, body),
		retryAfter: retryAfter(resp.Header.Get("Retry-After"), time.Now()),
	}
}

// authorization gives the header of that name, "" for none.
func (h *httpOutput) authorization() (string, error) {
	if h.token == nil {
		return "", nil
	}
	token, err := h.token()
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
	return h.scheme + " " + token, nil
}

// checkRedirect follows no redirect that makes a POST a GET, as 301, 302 and 303
// do: the metrics would be lost and the answer would look like success. Nor does
// it follow one away from TLS, with the token.
func checkRedirect(req *http.Request, via []*http.Request) error {
	first := via[0]
	if req.Method != first.Method || req.URL.Scheme != first.URL.Scheme && first.URL.Scheme == "https" || len(via) >= 10 {
		return http.ErrUseLastResponse
	}
	return nil
}

// delay is how long to wait after so many failures before the last, err.
func delay(failures int, err error) time.Duration {
	d := min(minDelay<<min(failures, 10), maxDelay)
	d -= rand.N(d / 2)
	var r *refusal
	if errors.As(err, &r) {
		d = max(d, r.retryAfter)
	}
	return d
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

// refusal is an answer other than success.
type refusal struct {
	status     int
	text       string // the status and the server's message
	retryAfter time.Duration
}

func (r *refusal) Error() string { return r.text }

// passing reports whether the same request may succeed later.
func (r *refusal) passing() bool {
	return r.status == http.StatusTooManyRequests || r.status >= 500
}

// statusText is the status of an answer and what the server says about it, in a
// line.
func statusText(resp *http.Response, body []byte) string {
	text := strings.TrimSpace(strconv.Itoa(resp.StatusCode) + " " + http.StatusText(resp.StatusCode))
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

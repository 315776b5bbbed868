package emit

import (
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

// FuzzServerMessage holds that no answer of a server garbles a log or fills it.
func FuzzServerMessage(f *testing.F) {
	f.Add([]byte(`{"error":"database not found: \"x\""}`))
	f.Add([]byte(`{"code":"invalid","message":"a\u001b[31mb"}`))
	f.Add([]byte(`{"error":"partial write","data":[{"error_message":"invalid"}]}`))
	f.Add([]byte("<html>\r\n\x00\xff"))
	f.Fuzz(func(t *testing.T, body []byte) {
		text := serverMessage(body)
		if len(text) > maxLine+len("…") || !utf8.ValidString(text) || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("%d bytes: %q", len(text), text)
		}
	})
}

// FuzzRetryAfter holds that a server cannot make the wait negative or endless.
func FuzzRetryAfter(f *testing.F) {
	f.Add("120")
	f.Add("-1")
	f.Add("Fri, 31 Dec 1999 23:59:59 GMT")
	f.Add("Fri, 31 Dec 9999 23:59:59 GMT")
	f.Fuzz(func(t *testing.T, text string) {
		if d := retryAfter(text, time.Unix(1767323045, 0)); d < 0 || d > maxRetryAfter {
			t.Errorf("%q is %v", text, d)
		}
	})
}

// FuzzWriteURL holds that what is accepted is a URL without a secret in it.
func FuzzWriteURL(f *testing.F) {
	f.Add("http://localhost:8086/write?db=x")
	f.Add("https://me:hush@db/api/v2/write?org=o&bucket=b")
	f.Add("http://db/api/v3/write_lp?db=x&precision=auto#p=1")
	f.Add("http://db/write?%70=hush")
	f.Fuzz(func(t *testing.T, text string) {
		target, err := parseWriteURL(text, Second)
		if err != nil {
			if strings.ContainsFunc(err.Error(), unicode.IsControl) {
				t.Errorf("the error has control characters: %q", err)
			}
			return
		}
		u, err := url.Parse(target.url)
		if err != nil {
			t.Fatalf("%q became %q: %v", text, target.url, err)
		}
		query := u.Query()
		if u.User != nil || query.Has("u") || query.Has("p") || query.Has("token") {
			t.Errorf("%q was accepted", text)
		}
	})
}

package emit

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"sync"
)

// HTTPOptions are what may be chosen of an HTTP output. The zero value is usable.
type HTTPOptions struct {
	Options
	// Token returns what authorizes a request; nil for no authorization. It is
	// asked before each request, so that a token may change, and once by NewHTTP.
	// The token goes out as InfluxDB wants it at that URL, "Token TOKEN" or
	// "Bearer TOKEN", or as it is where it starts with "Basic ", "Bearer " or
	// "Token ". It is in no error and in no warning.
	Token func() (string, error)
	// UserAgent is the header of that name; "" is that of net/http.
	UserAgent string
	// Transport makes the requests; nil is [http.DefaultTransport], which trusts
	// the system's certificates and uses the proxy that the environment names.
	Transport http.RoundTripper
}

// NewHTTP makes an Output that posts the metrics of each Write to a write URL,
// with a request of their own, compressed: InfluxDB's "/write?db=" (1.x),
// "/api/v2/write?org=&bucket=" (2.x) and "/api/v3/write_lp?db=" (3.x), and what
// takes the same, such as VictoriaMetrics, Telegraf's listeners and DataKit. The
// URL is taken as it is; only where it does not say which precision the time
// stamps have, and the server would not assume enc's, "precision" is added.
//
// # What is taken
//
// An answer of 2xx is success, unless its body is a page of HTML, as of a login,
// or JSON that tells of an error. The whole answer has to come within 10 s.
//
// # What is tried again
//
// Metrics are kept and tried again when the server cannot be reached, does not
// answer in time, or gives an answer that is not about these metrics but about
// the server or the way there: 5xx and 429, but also 401, 403, 404, a redirect and
// the like, which whoever runs the server can mend. A Retry-After is honoured, up
// to an hour. A request that the server took without its answer getting through is
// repeated, which changes nothing: to InfluxDB, a metric of the same series and
// time is the same metric.
//
// # What is dropped
//
// What the server refuses with 400 or 422 is dropped. At 413, too large, the
// batch is sent in halves, and a single metric that is still too large is dropped.
//
// # Redirects
//
// A redirect is followed if it keeps the request a POST and leads to the same
// scheme, host and port: the token goes nowhere else.
//
// The error of NewHTTP is about the URL, which it shows without secrets, or the
// token. It is an [ErrSecretInURL] where the URL holds a secret.
func NewHTTP(url string, enc *Encoder, o HTTPOptions) (Output, error) {
	target, err := parseWriteURL(url, enc.precision)
	if err != nil {
		return nil, err
	}
	p := &poster{
		target:    target,
		token:     o.Token,
		userAgent: o.UserAgent,
		client:    &http.Client{Transport: o.Transport, CheckRedirect: checkRedirect},
		gz:        gzip.NewWriter(nil),
	}
	if _, err := p.authorization(); err != nil {
		return nil, err
	}
	q, err := newQueue(Redact(url), enc, o.Options)
	if err != nil {
		return nil, err
	}
	return q.start(p), nil
}

// poster is a sink that posts each batch with a request of its own.
type poster struct {
	target
	token     func() (string, error)
	userAgent string
	client    *http.Client

	mu     sync.Mutex // of what pack uses, and again the next
	packed bytes.Buffer
	gz     *gzip.Writer
}

// pack compresses a batch once, to take less room while it waits.
func (p *poster) pack(text []byte) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.packed.Reset()
	p.gz.Reset(&p.packed)
	_, _ = p.gz.Write(text) // memory takes it all
	_ = p.gz.Close()
	return bytes.Clone(p.packed.Bytes())
}

func (*poster) unpack(packed []byte) ([]byte, error) {
	r, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	return io.ReadAll(r) // as much as was packed
}

func (p *poster) close() error {
	p.client.CloseIdleConnections()
	return nil
}

package emit

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/l4stat/l4stat/netstat"
)

// DefaultBufferLimit is how many metrics an HTTP output keeps for later unless
// [HTTPOptions] say otherwise.
const DefaultBufferLimit = 10000

// HTTPOptions are what may be chosen of an HTTP output. The zero value is usable.
type HTTPOptions struct {
	// Token gives what authorizes a request; nil for no authorization. It is
	// asked before each request, so that a token may change, and once by NewHTTP.
	// The token goes out as InfluxDB wants it at that URL, "Token TOKEN" or
	// "Bearer TOKEN", or as it is where it starts with "Basic ", "Bearer " or
	// "Token ". It is in no error and in no warning.
	Token func() (string, error)
	// BufferLimit is how many metrics are kept while the server does not take
	// them; 0 is DefaultBufferLimit. When there are more, the oldest batches are
	// dropped whole, though not the newest batch, nor one that is under way.
	BufferLimit int
	// Warn is told, in one line, when the server stops taking metrics, when it
	// takes them again and what was dropped. There is a line for each change, not
	// for each request. It is not called twice at once, nor once Close is called:
	// Close tells the rest. With nil, Close tells all.
	Warn func(message string)
	// UserAgent is the header of that name; "" is that of net/http.
	UserAgent string
	// Transport makes the requests; nil is [http.DefaultTransport], which trusts
	// the system's certificates and uses the proxy that the environment names.
	Transport http.RoundTripper
}

// httpOutput posts each batch with a request of its own. Write and Close are
// called by the Output's user; all that waits is in run, on its own goroutine.
type httpOutput struct {
	url       string
	scheme    string // of authorization
	token     func() (string, error)
	userAgent string
	client    *http.Client

	// Used by Write, and again by the next.
	enc  *Encoder
	text []byte
	body bytes.Buffer
	gz   *gzip.Writer

	buffer  buffer
	notices notices

	filled  chan struct{} // holds a token when the buffer was filled
	closing chan struct{} // closed by Close: nothing more comes, do not wait
	done    chan struct{} // closed when run has ended
	closed  bool

	ctx    context.Context // of the requests
	cancel context.CancelCauseFunc
}

// NewHTTP makes an Output that posts the metrics of each Write to a write URL,
// with a request of their own, compressed: InfluxDB's "/write?db=" (1.x),
// "/api/v2/write?org=&bucket=" (2.x) and "/api/v3/write_lp?db=" (3.x), and what
// takes the same, such as VictoriaMetrics, Telegraf's listeners and DataKit. The
// URL is taken as it is; only where it does not say which precision the time
// stamps have, and the server would not assume enc's, "precision" is added.
//
// Write does not wait for the server: metrics go out in the order of the Writes,
// from a goroutine that ends with Close. When the server cannot be reached, does
// not answer in time, or answers with 429 or 5xx, they are kept and tried again,
// at growing intervals of up to 30 s or as the server's Retry-After says, an
// hour at most. A request that the server took without its answer getting
// through is repeated, which changes nothing: to InfluxDB, a metric of the same
// series and time is the same metric. What the server refuses with any other
// answer, 413 for a request too large included, is dropped. Redirects are
// followed where they keep the request a POST and do not leave TLS; others count
// as refusals.
//
// Write's error is about metrics that cannot be encoded. Close tries at once to
// deliver what is kept and gives up at the first failure, or when its context
// ends. Its error tells how many metrics were not delivered, and why; not those
// of spells that Warn was told the end of.
//
// The error of NewHTTP is about the URL, which it shows without secrets, or the
// token. It is an [ErrSecretInURL] where the URL holds a secret.
func NewHTTP(url string, enc *Encoder, o HTTPOptions) (Output, error) {
	target, err := parseWriteURL(url, enc.precision)
	if err != nil {
		return nil, err
	}
	if o.BufferLimit < 0 {
		return nil, fmt.Errorf("a buffer limit of %d metrics: give a number above zero", o.BufferLimit)
	}
	if o.BufferLimit == 0 {
		o.BufferLimit = DefaultBufferLimit
	}
	h := &httpOutput{
		url:       target.url,
		scheme:    target.scheme,
		token:     o.Token,
		userAgent: o.UserAgent,
		client:    &http.Client{Transport: o.Transport, CheckRedirect: checkRedirect},
		enc:       enc,
		gz:        gzip.NewWriter(nil),
		buffer:    buffer{limit: o.BufferLimit},
		notices:   notices{warn: o.Warn, url: url, limit: o.BufferLimit},
		filled:    make(chan struct{}, 1),
		closing:   make(chan struct{}),
		done:      make(chan struct{}),
	}
	if _, err := h.authorization(); err != nil {
		return nil, err
	}
	h.ctx, h.cancel = context.WithCancelCause(context.Background())
	go h.run()
	return h, nil
}

func (h *httpOutput) Write(_ context.Context, metrics []netstat.Metric) error {
	if h.closed {
		return os.ErrClosed
	}
	b, err := h.encode(metrics)
	if b.metrics == 0 {
		return err
	}
	if dropped := h.buffer.add(b); dropped > 0 {
		h.notices.overran(dropped)
	}
	select {
	case h.filled <- struct{}{}:
	default: // run has not yet seen that of before
	}
	return err
}

// encode makes a batch of those metrics that can be encoded; the error names
// the others. It is compressed here, once, to take less room while it waits.
func (h *httpOutput) encode(metrics []netstat.Metric) (batch, error) {
	var b batch
	var errs []error
	text := h.text[:0]
	for i := range metrics {
		var err error
		if text, err = h.enc.Append(text, metrics[i:i+1]); err != nil {
			errs = append(errs, err)
			continue
		}
		b.metrics++
	}
	h.text = text
	if b.metrics == 0 {
		return b, errors.Join(errs...)
	}
	h.body.Reset()
	h.gz.Reset(&h.body)
	_, _ = h.gz.Write(text) // memory takes it all
	_ = h.gz.Close()
	b.body = bytes.Clone(h.body.Bytes())
	return b, errors.Join(errs...)
}

func (h *httpOutput) Close(ctx context.Context) error {
	if h.closed {
		return nil
	}
	h.closed = true
	h.notices.stop()
	close(h.closing)
	stop := context.AfterFunc(ctx, func() { h.cancel(context.Cause(ctx)) })
	<-h.done
	stop()
	gaveUp := context.Cause(h.ctx)
	h.cancel(nil)
	h.client.CloseIdleConnections()
	return h.notices.undelivered(h.buffer.waiting(), gaveUp)
}

// run sends what is in the buffer, oldest first, until Close is called and what
// is left then was tried.
func (h *httpOutput) run() {
	defer close(h.done)
	failures := 0 // in a row
	for {
		last := h.isClosing() // before the attempt, which begins after Close then
		b, ok := h.buffer.take()
		if !ok {
			if last {
				return
			}
			select {
			case <-h.filled:
			case <-h.closing:
			}
			continue
		}
		err := h.post(b)
		var refused *refusal
		switch {
		case err == nil:
			failures = 0
			h.buffer.remove()
			h.notices.delivered(b.metrics, h.buffer.waiting())
			continue
		case errors.As(err, &refused) && !refused.passing():
			failures = 0
			h.buffer.remove()
			h.notices.refused(b.metrics, err)
			continue
		}
		h.buffer.putBack()
		if h.ctx.Err() == nil { // else it says no more than that Close gave up
			h.notices.failed(err)
		}
		if last {
			return
		}
		wait := time.NewTimer(delay(failures, err))
		select {
		case <-wait.C:
		case <-h.closing:
			wait.Stop()
		}
		failures++
	}
}

func (h *httpOutput) isClosing() bool {
	select {
	case <-h.closing:
		return true
	default:
		return false
	}
}

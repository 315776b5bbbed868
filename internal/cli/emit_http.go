package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/l4stat/l4stat/internal/logger"
	"github.com/l4stat/l4stat/netstat/emit"
)

// envToken is the environment variable that has the token.
const envToken = "L4STAT_TOKEN"

// httpFlags are the flags of l4stat emit for outputs that are URLs.
type httpFlags struct {
	tokenFile   string
	bufferLimit int
}

func (f *httpFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.tokenFile, "token-file", "", "read the token for URLs from `FILE`, before each request, instead of from "+envToken)
	flags.IntVar(&f.bufferLimit, "buffer-limit", emit.DefaultBufferLimit, "keep up to `N` rows for each URL while it cannot be reached, then drop the oldest")
}

// httpHelp is the part about URLs of the command's help.
const httpHelp = `A write URL is one of InfluxDB (/write?db=, /api/v2/write?org=&bucket=,
/api/v3/write_lp?db=), VictoriaMetrics, a Telegraf listener or DataKit
(/v1/write/metric?input=netstat). Its token, or USER:PASSWORD for InfluxDB 1.8, is
in ` + envToken + ` or in the file of --token-file. What cannot be delivered is
kept and tried again; what the server refuses is dropped, with its message. If
rows are not delivered in the end, the exit code is 1.`

// isURL reports whether an output is a write URL.
func isURL(output string) bool {
	output = strings.ToLower(output)
	return strings.HasPrefix(output, "http://") || strings.HasPrefix(output, "https://")
}

// openHTTP opens a write URL.
func (f *emitFlags) openHTTP(url string, enc *emit.Encoder, log *logger.Logger) (emit.Output, error) {
	if f.http.bufferLimit <= 0 {
		return nil, fmt.Errorf("--buffer-limit %d: give a number of rows above zero", f.http.bufferLimit)
	}
	o := emit.HTTPOptions{
		Token:       f.http.token(),
		BufferLimit: f.http.bufferLimit,
		Warn:        log.Warn,
		UserAgent:   "l4stat/" + version(),
	}
	if f.once {
		o.Warn = nil // the end comes at once and tells all
	}
	out, err := emit.NewHTTP(url, enc, o)
	if errors.Is(err, emit.ErrSecretInURL) {
		return nil, fmt.Errorf("%w; put the token, or USER:PASSWORD, into %s or a file for --token-file", err, envToken)
	}
	return out, err
}

// token gives what reads the token, nil when there is none. A file that was named
// counts more than the environment, which a service manager may have set for all.
func (f *httpFlags) token() func() (string, error) {
	if f.tokenFile != "" {
		return func() (string, error) {
			text, err := os.ReadFile(f.tokenFile)
			if err != nil {
				return "", fmt.Errorf("--token-file: %w", err) // names the file
			}
			token := strings.TrimSpace(string(text))
			if token == "" {
				return "", fmt.Errorf("--token-file %s has nothing in it", f.tokenFile)
			}
			return token, nil
		}
	}
	if token := strings.TrimSpace(os.Getenv(envToken)); token != "" {
		return func() (string, error) { return token, nil }
	}
	return nil
}

// How long URLs may take in the end. After a signal it is less than what a
// service manager or a person waits for.
const (
	flushOnce   = 10 * time.Second
	flushAtExit = 3 * time.Second
)

// flushContext gives the context in which outputs are closed after a run in ctx.
func (f *emitFlags) flushContext(ctx context.Context) (context.Context, context.CancelFunc) {
	limit := flushAtExit
	if f.once && ctx.Err() == nil {
		limit = flushOnce
	}
	return context.WithTimeoutCause(context.WithoutCancel(ctx), limit, fmt.Errorf("no answer within the %v that there are to end", limit))
}

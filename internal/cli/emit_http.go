package cli

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/l4stat/l4stat/internal/smallfile"
	"github.com/l4stat/l4stat/netstat/emit"
)

// envToken is the environment variable that has the token.
const envToken = "L4STAT_TOKEN"

// httpFlags are the flags of l4stat emit for outputs that are URLs.
type httpFlags struct {
	tokenFile  string
	tlsCA      string
	tlsCert    string
	tlsKey     string
	skipVerify bool
}

func (f *httpFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.tokenFile, "token-file", "", "read the token for URLs from `FILE`, before each request, instead of from "+envToken)
	flags.StringVar(&f.tlsCA, "tls-ca", "", "trust the certificates in `FILE` (PEM), instead of the system's")
	flags.StringVar(&f.tlsCert, "tls-cert", "", "show servers the certificate in `FILE` (PEM), which is read for each connection")
	flags.StringVar(&f.tlsKey, "tls-key", "", "the key of --tls-cert is in `FILE` (PEM)")
	flags.BoolVar(&f.skipVerify, "insecure-skip-verify", false, "do not verify the certificates of https:// URLs: anybody between can read the token")
}

// httpHelp is the part about URLs of the command's help.
const httpHelp = `A write URL is one of InfluxDB (/write?db=, /api/v2/write?org=&bucket=,
/api/v3/write_lp?db=), VictoriaMetrics, a Telegraf listener or DataKit
(/v1/write/metric?input=netstat). Its token, or USER:PASSWORD for InfluxDB 1.8, is
in ` + envToken + ` or in the file of --token-file.

Rows that cannot be delivered, to a URL, a file or standard output, are kept and
tried again; rows that a server refuses as malformed are dropped, and its message
is shown. If rows remain undelivered at the end, the exit code is 1.

SIGINT and SIGTERM end the run within 5 s. SIGHUP reloads the file of --config;
without --config, or on a terminal, it ends the run as well.`

// openHTTP opens a write URL.
func (f *emitFlags) openHTTP(url string, enc *emit.Encoder, o emit.Options) (emit.Output, error) {
	transport, err := f.http.transport()
	if err != nil {
		return nil, err
	}
	out, err := emit.NewHTTP(url, enc, emit.HTTPOptions{
		Options:   o,
		Token:     f.http.token(),
		UserAgent: "l4stat/" + version(),
		Transport: transport,
	})
	if errors.Is(err, emit.ErrSecretInURL) {
		return nil, fmt.Errorf("%w; put the token, or USER:PASSWORD, into %s or a file for --token-file", err, envToken)
	}
	return out, err
}

// Bounds of what files have that flags name, in bytes.
const (
	maxToken = 64 << 10
	maxPEM   = 4 << 20 // a system's certificates are a quarter of a megabyte
)

// transport returns one that has the certificates of the flags; nil without any.
func (f *httpFlags) transport() (http.RoundTripper, error) {
	if f.tlsCA == "" && f.tlsCert == "" && f.tlsKey == "" && !f.skipVerify {
		return nil, nil
	}
	config := &tls.Config{InsecureSkipVerify: f.skipVerify}
	if f.tlsCA != "" {
		text, err := smallfile.Read(f.tlsCA, maxPEM)
		if err != nil {
			return nil, fmt.Errorf("--tls-ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(text) {
			return nil, fmt.Errorf("--tls-ca %s: there is no certificate in it; give a file of PEM, with -----BEGIN CERTIFICATE-----", f.tlsCA)
		}
	}
	switch {
	case f.tlsCert != "" && f.tlsKey != "":
		if _, err := f.certificate(nil); err != nil {
			return nil, err
		}
		config.GetClientCertificate = f.certificate
	case f.tlsCert != "":
		return nil, errors.New("--tls-cert is of use with its key only; give --tls-key FILE")
	case f.tlsKey != "":
		return nil, errors.New("--tls-key is of use with its certificate only; give --tls-cert FILE")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.TLSClientConfig = config
	return transport, nil
}

// certificate reads the certificate that servers are shown, since it may have been
// renewed.
func (f *httpFlags) certificate(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
	cert, err := smallfile.Read(f.tlsCert, maxPEM)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert: %w", err)
	}
	key, err := smallfile.Read(f.tlsKey, maxPEM)
	if err != nil {
		return nil, fmt.Errorf("--tls-key: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, fmt.Errorf("--tls-cert %s with --tls-key %s: %w", f.tlsCert, f.tlsKey, err)
	}
	return &pair, nil
}

// token returns what reads the token, nil when there is none. A file that was named
// counts more than the environment, which a service manager may have set for all.
func (f *httpFlags) token() func() (string, error) {
	if f.tokenFile != "" {
		return func() (string, error) {
			text, err := smallfile.Read(f.tokenFile, maxToken)
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

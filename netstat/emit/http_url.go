package emit

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// ErrSecretInURL is for a write URL with a secret in it: others can read the
// command lines of this host, and logs show URLs.
var ErrSecretInURL = errors.New("a secret must not be in the URL")

// endpoint is what a server wants of requests to paths that end so.
type endpoint struct {
	path   string
	scheme string // of authorization
	// names are how the parameter "precision" may spell a precision; the first is
	// what is added. Servers take one that they do not know as nanoseconds.
	names map[Precision][]string
	// assumed is the precision without that parameter; "" if it is guessed from
	// the number of digits.
	assumed Precision
	// guess is the value of the parameter that has it guessed.
	guess string
}

// endpoints are the ones known, by their documentation and their sources. The
// first whose path fits is meant.
var endpoints = []endpoint{
	{
		path:   "/api/v3/write_lp", // InfluxDB 3.x
		scheme: "Bearer",
		names:  map[Precision][]string{Nanosecond: {"nanosecond", "ns", "n"}, Microsecond: {"microsecond", "us", "u"}, Millisecond: {"millisecond", "ms"}, Second: {"second", "s"}},
		guess:  "auto",
	},
	{
		path:    "/api/v2/write", // InfluxDB 2.x and 1.8, VictoriaMetrics, inputs.influxdb_v2_listener
		scheme:  "Token",
		names:   map[Precision][]string{Nanosecond: {"ns"}, Microsecond: {"us"}, Millisecond: {"ms"}, Second: {"s"}},
		assumed: Nanosecond,
	},
	{
		path:    "/v1/write/metric", // DataKit; newer ones guess, which gives nanoseconds too
		scheme:  "Token",
		names:   oldNames,
		assumed: Nanosecond,
	},
	{
		path:    "/write", // InfluxDB 1.x, VictoriaMetrics, inputs.influxdb_listener
		scheme:  "Token",
		names:   oldNames,
		assumed: Nanosecond,
	},
}

var oldNames = map[Precision][]string{Nanosecond: {"n", "ns"}, Microsecond: {"u"}, Millisecond: {"ms"}, Second: {"s"}}

// target is where requests go.
type target struct {
	url     string
	scheme  string   // of authorization
	secrets []string // what may be secret in the URL
}

// parseWriteURL checks a write URL and makes it tell the precision p.
func parseWriteURL(text string, p Precision) (target, error) {
	u, err := url.Parse(text)
	if err != nil {
		// Its own words repeat the URL, or a part of a password.
		return target{}, errors.New("the URL cannot be understood: give one such as http://localhost:8086/write?db=telegraf, spaces and such as %20")
	}
	if u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return target{}, fmt.Errorf("URL %s: give http:// or https:// and a host", bare(u))
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return target{}, fmt.Errorf("URL %s: there is no port %s; give one from 1 to 65535", bare(u), port)
		}
	}
	if u.User != nil {
		return target{}, fmt.Errorf("URL %s: %w: a user and password stand before the host", bare(u), ErrSecretInURL)
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return target{}, fmt.Errorf("URL %s: its parameters cannot be understood; write special characters as %%20 and such, and a semicolon as %%3B", bare(u))
	}
	for _, secret := range []string{"u", "p", "token"} {
		if query.Has(secret) {
			return target{}, fmt.Errorf("URL %s: %w: it has the parameter %q", bare(u), ErrSecretInURL, secret)
		}
	}
	u.Fragment = "" // never sent
	for _, e := range endpoints {
		if strings.HasSuffix(u.Path, e.path) {
			if err := e.agree(u, query, p); err != nil {
				return target{}, err
			}
			return target{u.String(), e.scheme, secretsOf(u)}, nil
		}
	}
	// What an unknown server assumes is its user's affair.
	return target{u.String(), "Token", secretsOf(u)}, nil
}

// agree checks the parameter "precision" of the URL against p, and adds it where
// the server would assume another.
func (e *endpoint) agree(u *url.URL, query url.Values, p Precision) error {
	said, names := query["precision"], e.names[p]
	if len(said) == 0 {
		if e.assumed != p {
			if u.RawQuery != "" {
				u.RawQuery += "&"
			}
			u.RawQuery += "precision=" + names[0]
		}
		return nil
	}
	for _, s := range said {
		if !slices.Contains(names, s) && (s != e.guess || s == "") {
			return fmt.Errorf("URL %s: it says precision=%s, but time stamps are written in %s, for which it has to be precision=%s; best leave it out", bare(u), oneLine(s), p, names[0])
		}
	}
	return nil
}

// bare is the URL without what may be secret.
func bare(u *url.URL) string {
	return (&url.URL{Scheme: u.Scheme, Host: u.Host, Path: u.Path}).String()
}

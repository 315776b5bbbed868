package emit

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// hidden stands for a secret.
const hidden = "***"

// shown are the parameters of a write URL whose values may be shown. Any other
// may be a secret: there are too many names for one to list those.
var shown = []string{"db", "rp", "org", "orgid", "bucket", "precision", "consistency", "input", "accept_partial", "no_sync", "measurement", "source", "service"}

// Redact returns a URL, or what somebody took for one, without what may be secret
// in it: a user and a password, the fragment, and the values of parameters that
// are not known to be none. It is fit to be shown.
func Redact(text string) string {
	if u, err := url.Parse(text); err != nil || u.Host == "" || u.User != nil {
		text = withoutUserinfo(text)
	}
	text, _, _ = strings.Cut(text, "#")
	before, query, ok := strings.Cut(text, "?")
	if !ok {
		return oneLine(text)
	}
	parameters := strings.FieldsFunc(query, func(r rune) bool { return r == '&' || r == ';' })
	for i, parameter := range parameters {
		key, _, has := strings.Cut(parameter, "=")
		switch {
		case !has:
			parameters[i] = hidden
		case !slices.Contains(shown, strings.ToLower(key)):
			parameters[i] = key + "=" + hidden
		}
	}
	return oneLine(before + "?" + strings.Join(parameters, "&"))
}

// withoutUserinfo hides all that may be a user and a password: a password may
// have in it what ends one in a URL.
func withoutUserinfo(text string) string {
	at := strings.LastIndexByte(text, '@')
	if at < 0 {
		return text
	}
	scheme, _, ok := strings.Cut(text[:at], "//")
	if !ok {
		return hidden + text[at:]
	}
	return scheme + "//" + hidden + text[at:]
}

// userinfo is what stands before the host of a URL in a message.
var userinfo = regexp.MustCompile(`(//)[^/\s"']*@`)

// secretsOf returns the values in a URL that Redact hides, as they stand there and
// as they are meant.
func secretsOf(u *url.URL) []string {
	var secrets []string
	for parameter := range strings.SplitSeq(u.RawQuery, "&") {
		key, value, _ := strings.Cut(parameter, "=")
		if slices.Contains(shown, strings.ToLower(key)) {
			continue
		}
		secrets = append(secrets, value)
		if meant, err := url.QueryUnescape(value); err == nil {
			secrets = append(secrets, meant)
		}
	}
	return secrets
}

// shortestSecret is how long a secret is that a message is searched for, in
// bytes; anything shorter stands in every other word.
const shortestSecret = 4

// redactText returns a message of net/http or of a server, which may repeat what
// was sent, without these secrets and without the userinfo of URLs.
func redactText(text string, secrets []string) string {
	for _, secret := range secrets {
		if len(secret) >= shortestSecret {
			text = strings.ReplaceAll(text, secret, hidden)
		}
	}
	return userinfo.ReplaceAllString(text, "${1}"+hidden+"@")
}

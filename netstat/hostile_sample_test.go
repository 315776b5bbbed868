package netstat_test

import (
	"errors"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/hostile"
	"github.com/l4stat/l4stat/netstat"
)

// TestHostileSample loads sample.conf, its remarks taken away in part, with changes
// at random. What is refused is refused with the file and a key or a line; what is
// not can be used.
func TestHostileSample(t *testing.T) {
	commented := regexp.MustCompile(`(?m)^( *)# ?([\[\]a-z_]+ *[]=\["].*)$`)
	bare := commented.ReplaceAllString(netstat.SampleConfig(), "$1$2")
	atLine := regexp.MustCompile(`^netstat\.conf:\d+: .`)
	accepted := 0
	hostile.Each(t, func(t *testing.T, n int, r *rand.Rand) {
		text := netstat.SampleConfig()
		if n%2 == 1 {
			text = bare
		}
		configs, err := netstat.Load("netstat.conf", hostile.Mutate(r, []byte(text)))
		for i := range configs {
			configs[i].Warnings()
			configs[i].Sockets = &fakeSource{}
			c, err := netstat.New(configs[i])
			if err != nil {
				t.Errorf("it was loaded, and cannot be used: %v", err)
				continue
			}
			_ = c.Close()
		}
		if err == nil {
			accepted++
			return
		}
		for _, e := range unjoin(err) {
			var c *netstat.ConfigError
			text := e.Error()
			switch {
			case errors.As(e, &c) && c.File == "netstat.conf" && c.Key != "" && c.Value != "" && c.Reason != "":
			case atLine.MatchString(text), strings.HasPrefix(text, "netstat.conf: there is no [[inputs.netstat]] block"):
			case strings.HasPrefix(text, "netstat.conf: longer than "): // which no line is to blame for
			case strings.HasPrefix(text, "netstat.conf: and "), strings.HasPrefix(text, "netstat.conf: not TOML: "):
			default:
				t.Errorf("the error does not name the file and a key or a line: %.300q", text)
			}
		}
		checkLines(t, "netstat.conf", err)
		if len(err.Error()) > 21*600 {
			t.Errorf("the error has %d bytes", len(err.Error()))
		}
	})
	t.Logf("%d were accepted", accepted)
}

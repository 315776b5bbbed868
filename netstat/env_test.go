package netstat_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/l4stat/l4stat/netstat"
)

const (
	envInterval  = "ENV_INPUT_NETSTAT_INTERVAL"
	envAddrPorts = "ENV_INPUT_NETSTAT_ADDR_PORTS"
	envTags      = "ENV_INPUT_NETSTAT_TAGS"
)

// lookupIn makes a map stand for the environment.
func lookupIn(env map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := env[name]
		return value, ok
	}
}

// fromFile gives a configuration that differs from the defaults in all that
// the environment can override.
func fromFile(t *testing.T) netstat.Config {
	t.Helper()
	const text = `
[[inputs.netstat]]
  interval = "1m"
  absent = "zero"
  [[inputs.netstat.addr_ports]]
    ports = ["22"]
    side = "remote"
    tags = {service = "ssh"}
  [inputs.netstat.tags]
    tag1 = "file1"
    tag2 = "file2"
`
	configs, err := netstat.Load("netstat.conf", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return configs[0]
}

func TestApplyEnv(t *testing.T) {
	t.Parallel()
	group := netstat.Group{Ports: []string{"22"}, Side: "remote", Tags: map[string]string{"service": "ssh"}}
	tags := map[string]string{"tag1": "file1", "tag2": "file2"}
	want := func(changes ...func(*netstat.Config)) netstat.Config {
		c := defaultsWith(withGroups(group), withTags(tags))
		c.Interval, c.Absent = time.Minute, "zero"
		for _, change := range changes {
			change(&c)
		}
		return c
	}
	tests := []struct {
		name string
		env  map[string]string
		want netstat.Config
	}{
		{"nothing set", nil, want()},
		{"all empty", map[string]string{envInterval: "", envAddrPorts: "", envTags: ""}, want()},
		{"other variables", map[string]string{"ENV_INPUT_NETSTAT_INTERVALL": "x", "ENV_INPUT_CPU_INTERVAL": "1s"}, want()},
		{"interval", map[string]string{envInterval: "30s"}, want(func(c *netstat.Config) { c.Interval = 30 * time.Second })},
		{"interval of two units", map[string]string{envInterval: "1m30s"}, want(func(c *netstat.Config) { c.Interval = 90 * time.Second })},
		{"ports", map[string]string{envAddrPorts: `["1.1.1.1:80","443"]`}, want(withGroups(netstat.Group{Origin: envAddrPorts, Ports: []string{"1.1.1.1:80", "443"}}))},
		{"ports with spaces", map[string]string{envAddrPorts: " [\n\"80\" ] "}, want(withGroups(netstat.Group{Origin: envAddrPorts, Ports: []string{"80"}}))},
		{"IPv6 as DataKit writes it", map[string]string{envAddrPorts: `["::1:80"]`}, want(withGroups(netstat.Group{Origin: envAddrPorts, Ports: []string{"::1:80"}}))},
		{"new tags", map[string]string{envTags: "tag3=env3,tag4=env4"},
			want(withTags(map[string]string{"tag1": "file1", "tag2": "file2", "tag3": "env3", "tag4": "env4"}))},
		{"tag of the file", map[string]string{envTags: "tag2=env2"}, want(withTags(map[string]string{"tag1": "file1", "tag2": "env2"}))},
		{"tags with spaces around", map[string]string{envTags: " tag1 = a b , tag2=c "}, want(withTags(map[string]string{"tag1": "a b", "tag2": "c"}))},
		{"equals sign in a tag's value", map[string]string{envTags: "tag1=a=b"}, want(withTags(map[string]string{"tag1": "a=b", "tag2": "file2"}))},
		{"all", map[string]string{envInterval: "5s", envAddrPorts: `["80"]`, envTags: "tag1=env1"}, want(
			func(c *netstat.Config) { c.Interval = 5 * time.Second },
			withGroups(netstat.Group{Origin: envAddrPorts, Ports: []string{"80"}}),
			withTags(map[string]string{"tag1": "env1", "tag2": "file2"}))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := fromFile(t)
			if err := c.ApplyEnv(lookupIn(tt.env)); err != nil {
				t.Fatal(err)
			}
			checkConfigs(t, []netstat.Config{c}, []netstat.Config{tt.want})
			if err := c.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestLoadWithEnv(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "netstat.conf")
	const text = "[[inputs.netstat]]\n[[inputs.netstat]]\ninterval = \"1m\"\npid = false\n"
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	byEnv := func(c *netstat.Config) {
		c.Groups, c.Tags = []netstat.Group{{Origin: envAddrPorts, Ports: []string{"80"}}}, map[string]string{"tag1": "value1"}
	}
	tests := []struct {
		name string
		path string
		want []netstat.Config
	}{
		{"no file", "", []netstat.Config{defaultsWith(byEnv)}},
		{"each block of a file", path, []netstat.Config{
			defaultsWith(byEnv),
			defaultsWith(byEnv, func(c *netstat.Config) { c.Interval, c.PID = time.Minute, false }),
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := netstat.LoadWithEnv(tt.path, lookupIn(map[string]string{envAddrPorts: `["80"]`, envTags: "tag1=value1"}))
			if err != nil {
				t.Fatal(err)
			}
			checkConfigs(t, got, tt.want)
			// What is wrong with the environment is wrong once, however many blocks there are.
			_, err = netstat.LoadWithEnv(tt.path, lookupIn(map[string]string{envTags: "tag1"}))
			if errs := unjoin(err); len(errs) != 1 || !strings.HasPrefix(errs[0].Error(), "environment: "+envTags) {
				t.Errorf("the error is %v, want one about %s", err, envTags)
			}
		})
	}
	if _, err := netstat.LoadWithEnv(path+".missing", lookupIn(nil)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no such file: the error is %v, want os.ErrNotExist", err)
	}
}

// The Config may be a copy of one that is used elsewhere: what they share must
// stay as it is.
func TestApplyEnvLeavesCopies(t *testing.T) {
	t.Parallel()
	c := fromFile(t)
	other := c
	if err := c.ApplyEnv(lookupIn(map[string]string{envAddrPorts: `["80"]`, envTags: "tag1=env1,tag3=env3"})); err != nil {
		t.Fatal(err)
	}
	if want := map[string]string{"tag1": "file1", "tag2": "file2"}; !maps.Equal(other.Tags, want) {
		t.Errorf("the copy's tags are now %v, want %v", other.Tags, want)
	}
	if len(other.Groups) != 1 || other.Groups[0].Side != "remote" {
		t.Errorf("the copy's groups are now %+v", other.Groups)
	}
}

func TestApplyEnvErrors(t *testing.T) {
	t.Parallel()
	const (
		notTime = `not a time; give a number and a unit, such as "10s" or "1m"`
		longer  = `give 1ms or more, such as "10s"`
		list    = `give a JSON list of strings, such as ["1.1.1.1:80","443"]`
		ports   = "give a port from 1 to 65535"
		pairs   = "is not a tag; give name=value pairs with commas between, such as tag1=value1,tag2=value2"
	)
	tests := []struct {
		name      string
		variable  string
		value     string
		wantKey   string // "" for the variable itself
		wantValue string
		remedy    string
	}{
		{"interval without unit", envInterval, "10", "", `"10"`, notTime},
		{"interval of words", envInterval, "often", "", `"often"`, notTime},
		{"interval of spaces", envInterval, " ", "", `" "`, notTime},
		{"interval zero", envInterval, "0s", "", `"0s"`, longer},
		{"interval negative", envInterval, "-1s", "", `"-1s"`, longer},
		{"interval too short", envInterval, "1ns", "", `"1ns"`, longer},

		{"ports without JSON", envAddrPorts, "80,443", "", `"80,443"`, list},
		{"ports not closed", envAddrPorts, `["80"`, "", `"[\"80\""`, list},
		{"ports as a string", envAddrPorts, `"80"`, "", `"\"80\""`, list},
		{"ports as numbers", envAddrPorts, "[80]", "", `"[80]"`, list},
		{"ports as groups", envAddrPorts, `[{"ports":["80"]}]`, "", `"[{\"ports\":[\"80\"]}]"`, list},
		{"two lists", envAddrPorts, `["80"] ["443"]`, "", `"[\"80\"] [\"443\"]"`, list},
		{"no ports", envAddrPorts, "[]", "", "[]", "give at least one, or leave it out"},
		{"null", envAddrPorts, "null", "", "[]", "give at least one"},
		{"port 0", envAddrPorts, `["80","0"]`, envAddrPorts + "[1]", `"0"`, ports},
		{"port 65536", envAddrPorts, `["65536"]`, envAddrPorts + "[0]", `"65536"`, ports},
		{"service", envAddrPorts, `["1.1.1.1:http"]`, envAddrPorts + "[0]", `"1.1.1.1:http"`, ports},
		{"asterisk", envAddrPorts, `["*:80"]`, envAddrPorts + "[0]", `"*:80"`, `write "80" for any address`},
		{"null among ports", envAddrPorts, `["80",null]`, envAddrPorts + "[1]", `""`, ports},

		{"tag without value", envTags, "tag1", "", `"tag1"`, `"tag1" ` + pairs},
		{"tag with an empty value", envTags, "tag1=a,tag2=", "", `"tag1=a,tag2="`, `"tag2=" ` + pairs},
		{"tag without name", envTags, "=a", "", `"=a"`, `"=a" ` + pairs},
		{"comma at the end", envTags, "tag1=a,", "", `"tag1=a,"`, `"" ` + pairs},
		{"commas alone", envTags, ",,", "", `",,"`, `"" ` + pairs},
		{"tag twice", envTags, "tag1=a,tag1=b", "", `"tag1=a,tag1=b"`, `the tag "tag1" is there twice; leave one out`},
		{"tag with a line feed", envTags, "tag1=a\nb", envTags + ".tag1", `"a\nb"`, "line protocol cannot carry control characters"},
		{"tag with a backslash at the end", envTags, `tag1=C:\`, envTags + ".tag1", `"C:\\"`, "a backslash at the end; leave them out"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := fromFile(t)
			err := c.ApplyEnv(lookupIn(map[string]string{tt.variable: tt.value}))
			var got *netstat.ConfigError
			if !errors.As(err, &got) || len(unjoin(err)) != 1 {
				t.Fatalf("got the error %v, want one *netstat.ConfigError", err)
			}
			wantKey := tt.wantKey
			if wantKey == "" {
				wantKey = tt.variable
			}
			if got.File != "environment" || got.Key != wantKey || got.Value != tt.wantValue || !strings.Contains(got.Reason, tt.remedy) {
				t.Errorf("got  %v\nwant environment: %s = %s: ...%s", err, wantKey, tt.wantValue, tt.remedy)
			}
			if want := "environment: " + wantKey + " = " + tt.wantValue + ": "; !strings.HasPrefix(err.Error(), want) {
				t.Errorf("the error %q does not begin %q", err, want)
			}
		})
	}
}

// What is wrong in each variable is reported at once.
func TestApplyEnvReportsAll(t *testing.T) {
	t.Parallel()
	c := fromFile(t)
	err := c.ApplyEnv(lookupIn(map[string]string{envInterval: "often", envAddrPorts: `["0","http"]`, envTags: "tag1"}))
	var keys []string
	for _, e := range unjoin(err) {
		var c *netstat.ConfigError
		if errors.As(e, &c) {
			keys = append(keys, c.Key)
		}
	}
	if got, want := strings.Join(keys, " "), strings.Join([]string{envInterval, envAddrPorts + "[0]", envAddrPorts + "[1]", envTags}, " "); got != want {
		t.Errorf("the errors concern %s, want %s", got, want)
	}
}

// A warning about a group of the environment must not send its reader to the
// file.
func TestWarningsOfEnv(t *testing.T) {
	t.Parallel()
	c := fromFile(t)
	if err := c.ApplyEnv(lookupIn(map[string]string{envAddrPorts: `["443","10.0.0.1:443"]`})); err != nil {
		t.Fatal(err)
	}
	want := shadowed("environment: "+envAddrPorts+"[1]", "10.0.0.1:443")
	if got := c.Warnings(); len(got) != 1 || got[0] != want {
		t.Errorf("Warnings() = %q, want %q", got, want)
	}
}

func FuzzEnv(f *testing.F) {
	f.Add("", "", "")
	f.Add("10s", `["1.1.1.1:80","443"]`, "tag1=value1,tag2=value2")
	f.Add("10", `["80"`, "tag1")
	f.Add("-1s", `[null]`, "=,=")
	f.Add("1h1m1s1ms", "null", "a=b=c")
	f.Add("", "", "\x1b[31m=0")
	f.Add("0", `["*:80","[::1]:80-81"]`, "a=\xff,b=\\")
	f.Fuzz(func(t *testing.T, interval, addrPorts, tags string) {
		c := netstat.DefaultConfig()
		c.Tags = map[string]string{"tag1": "file1"}
		err := c.ApplyEnv(lookupIn(map[string]string{envInterval: interval, envAddrPorts: addrPorts, envTags: tags}))
		if err != nil {
			checkLines(t, "environment", err)
			if !strings.Contains(err.Error(), "ENV_INPUT_NETSTAT_") {
				t.Errorf("the error %q does not name a variable", err)
			}
			return
		}
		if err := c.Validate(); err != nil {
			t.Errorf("ApplyEnv let pass: %v", err)
		}
		if c.Interval < netstat.MinInterval {
			t.Errorf("the interval is %v", c.Interval)
		}
		if tags == "" && len(c.Tags) != 1 || tags != "" && len(c.Tags) == 0 {
			t.Errorf("the tags are %v", c.Tags)
		}
		if addrPorts == "" != (len(c.Groups) == 0) {
			t.Errorf("the groups are %+v", c.Groups)
		}
		c.Warnings()
	})
}

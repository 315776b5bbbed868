package netstat_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/socket"
)

func TestDefaultConfig(t *testing.T) {
	t.Parallel()
	checkConfigs(t, []netstat.Config{netstat.DefaultConfig()},
		[]netstat.Config{{Interval: 10 * time.Second, IPVersion: "split", Absent: "omit", PID: true, Source: "auto", ConnectionLimit: 100, RowLimit: 1000}})
}

// The sample says of each option what its default is, but of include what there
// is. It must be so.
func TestSampleConfig(t *testing.T) {
	t.Parallel()
	groups := []netstat.Group{
		{Ports: []string{"80", "443"}, Tags: map[string]string{"service": "http"}},
		{Ports: []string{"8000-8010", "1.1.1.1:9529", "10.0.0.0/8:5432", "[2001:db8::1]:53"}},
		{PortsMatch: []string{"*:8080", "*:9000-9010"}},
		{Ports: []string{"3306", "10.0.0.5:6379"}, Side: "remote"},
	}
	everything := func(c *netstat.Config) { c.Include = netstat.Included() }
	option := regexp.MustCompile(`(?m)^  # (\w+ = .*)$`)
	commented := regexp.MustCompile(`(?m)^  # ( *\S.*)$`)
	tests := []struct {
		name string
		text string
		want netstat.Config
	}{
		{"as it is", netstat.SampleConfig(), netstat.DefaultConfig()},
		{"with its options", option.ReplaceAllString(netstat.SampleConfig(), "  $1"), defaultsWith(everything)},
		{"with everything", commented.ReplaceAllString(netstat.SampleConfig(), "  $1"),
			defaultsWith(everything, withGroups(groups...), withTags(map[string]string{"some_tag": "some_value"}))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			configs, err := netstat.Load("sample.conf", []byte(tt.text))
			if err != nil {
				t.Fatalf("%v in\n%s", err, tt.text)
			}
			checkConfigs(t, configs, []netstat.Config{tt.want})
			if w := configs[0].Warnings(); len(w) > 0 {
				t.Errorf("the sample has warnings: %q", w)
			}
		})
	}
	for _, key := range []string{"ip_version", "absent", "pid", "source", "include", "connection_limit", "row_limit"} {
		if !slices.ContainsFunc(option.FindAllString(netstat.SampleConfig(), -1), func(line string) bool {
			return strings.HasPrefix(line, "  # "+key+" = ")
		}) {
			t.Errorf("the sample does not show the option %s", key)
		}
	}
}

func TestGroupEntries(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		group netstat.Group
		want  []string
	}{
		{"ports", netstat.Group{Ports: []string{"80"}}, []string{"80"}},
		{"ports_match", netstat.Group{PortsMatch: []string{"*:80"}}, []string{"*:80"}},
		{"both", netstat.Group{Ports: []string{"1.1.1.1:80"}, PortsMatch: []string{"*:80", "*:443"}}, []string{"*:80", "*:443"}},
		{"none", netstat.Group{}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if got := tt.group.Entries(); !slices.Equal(got, tt.want) {
				t.Errorf("Entries() = %q, want %q", got, tt.want)
			}
		})
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := map[string]netstat.Config{
		"zero":     {},
		"defaults": netstat.DefaultConfig(),
		"options":  {Interval: time.Millisecond, IPVersion: netstat.SumIPVersions, Absent: netstat.ZeroAbsent},
		"side only on the local side": {Groups: []netstat.Group{
			{Ports: []string{"80"}, Tags: map[string]string{"side": "left"}},
			{Ports: []string{"80"}, Side: netstat.LocalSide, Tags: map[string]string{"side": "left"}},
		}},
		// ports_match replaces ports, whatever stands there.
		"both lists": {Groups: []netstat.Group{{Ports: []string{"1.1.1.1:80"}, PortsMatch: []string{"*:80"}}}},
	}
	for _, kind := range socket.Kinds() {
		good["source "+kind] = netstat.Config{Source: kind}
	}
	for name, c := range good {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if err := c.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
	bad := map[string]struct {
		config netstat.Config
		want   string
	}{
		"interval":   {netstat.Config{Interval: -time.Second}, `interval = "-1s": give 1ms or more, such as "10s"`},
		"short":      {netstat.Config{Interval: time.Millisecond - 1}, `interval = "999.999µs": give 1ms or more, such as "10s"`},
		"ip_version": {netstat.Config{IPVersion: "both"}, `ip_version = "both": give one of "split", "sum"`},
		"side":       {netstat.Config{Groups: []netstat.Group{{Ports: []string{"80"}, Side: "peer"}}}, `addr_ports[0].side = "peer": give one of "local", "remote"`},
		"second group": {netstat.Config{Groups: []netstat.Group{{Ports: []string{"80"}}, {}}},
			`addr_ports[1].ports = []: the group has no entries; give at least one, such as ports = ["80"]`},
		"entry": {netstat.Config{Groups: []netstat.Group{{PortsMatch: []string{"*:80", "*:0"}}}},
			`addr_ports[0].ports_match[1] = "*:0": port 0 does not exist; give a port from 1 to 65535`},
		"invalid UTF-8": {netstat.Config{Tags: map[string]string{"some_tag": "\xff"}},
			`tags.some_tag = "\xff": line protocol cannot carry control characters, invalid UTF-8, or a backslash at the end; leave them out`},
	}
	for name, tt := range bad {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tt.config.Validate()
			var c *netstat.ConfigError
			if !errors.As(err, &c) || err.Error() != tt.want {
				t.Errorf("got  %v\nwant %s", err, tt.want)
			}
		})
	}
}

func TestConfigErrorText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		err  netstat.ConfigError
		want string
	}{
		{netstat.ConfigError{File: "a.conf", Key: "inputs.netstat.pid", Value: "1", Reason: "give true"}, "a.conf: inputs.netstat.pid = 1: give true"},
		{netstat.ConfigError{Key: "interval", Value: `"x"`, Reason: "not a time"}, `interval = "x": not a time`},
	}
	for _, tt := range tests {
		if got := tt.err.Error(); got != tt.want {
			t.Errorf("Error() = %s, want %s", got, tt.want)
		}
	}
}

// shadowed is the warning about an entry that never matches.
func shadowed(key, value string) string {
	return fmt.Sprintf("%s = %q: never matches: entries before it take all its sockets; move it before them, or leave it out", key, value)
}

func TestWarnings(t *testing.T) {
	t.Parallel()
	ports := func(entries ...string) netstat.Group { return netstat.Group{Ports: entries} }
	match := func(entries ...string) netstat.Group { return netstat.Group{PortsMatch: entries} }
	remote := func(entries ...string) netstat.Group { return netstat.Group{Ports: entries, Side: netstat.RemoteSide} }
	tests := []struct {
		name   string
		groups []netstat.Group
		want   []string
	}{
		{"no groups", nil, nil},
		{"nothing to say", []netstat.Group{ports("80", "443"), match("*:8080")}, nil},
		{"after every port", []netstat.Group{ports("1-65535", "80")}, []string{shadowed("addr_ports[0].ports[1]", "80")}},
		{"before every port", []netstat.Group{ports("80", "1-65535")}, nil},
		{"address after its port", []netstat.Group{ports("443", "10.0.0.1:443")}, []string{shadowed("addr_ports[0].ports[1]", "10.0.0.1:443")}},
		{"address before its port", []netstat.Group{ports("10.0.0.1:443", "443")}, nil},
		{"in another group", []netstat.Group{ports("80", "443"), ports("22", "443")}, []string{shadowed("addr_ports[1].ports[1]", "443")}},
		{"only together", []netstat.Group{ports("10.0.0.0/9:443"), ports("10.128.0.0/9:443"), ports("10.0.0.0/8:443")},
			[]string{shadowed("addr_ports[2].ports[0]", "10.0.0.0/8:443")}},
		{"not quite together", []netstat.Group{ports("10.0.0.0/9:443"), ports("10.128.0.0/10:443"), ports("10.0.0.0/8:443")}, nil},
		{"ranges together", []netstat.Group{ports("8000-8005", "8006-8010", "8001-8009")}, []string{shadowed("addr_ports[0].ports[2]", "8001-8009")}},
		{"ports_match", []netstat.Group{ports("80"), match("*:443", "*:80")}, []string{shadowed("addr_ports[1].ports_match[1]", "*:80")}},
		{"ports that ports_match replaces", []netstat.Group{{Ports: []string{"80"}, PortsMatch: []string{"*:443"}}, ports("80")}, nil},

		// A socket counts once for each side.
		{"other side", []netstat.Group{ports("3306"), remote("3306")}, nil},
		{"other side first", []netstat.Group{remote("3306"), ports("3306")}, nil},
		{"remote side", []netstat.Group{remote("3306"), ports("80"), remote("80", "10.0.0.5:3306")},
			[]string{shadowed("addr_ports[2].ports[1]", "10.0.0.5:3306")}},
		{"both sides", []netstat.Group{remote("1", "1"), ports("2", "2"), remote("3", "1")}, []string{
			shadowed("addr_ports[1].ports[1]", "2"), shadowed("addr_ports[0].ports[1]", "1"), shadowed("addr_ports[2].ports[1]", "1"),
		}},

		// What cannot be used at all has errors instead.
		{"bad entry", []netstat.Group{ports("80", "80", "http")}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			c := netstat.Config{Groups: tt.groups}
			if got := c.Warnings(); !slices.Equal(got, tt.want) {
				t.Errorf("Warnings() =\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

// Like an error, a warning names the file and the key in it.
func TestWarningsOfFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(goodConfigs, "datakit_sample_uncommented.conf")
	configs, err := netstat.LoadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		shadowed(path+": inputs.netstat.addr_ports[1].ports[0]", "80"),
		shadowed(path+": inputs.netstat.addr_ports[1].ports[1]", "443"),
		shadowed(path+": inputs.netstat.addr_ports[3].ports_match[0]", "*:80"),
		shadowed(path+": inputs.netstat.addr_ports[3].ports_match[1]", "*:443"),
	}
	if got := configs[0].Warnings(); !slices.Equal(got, want) {
		t.Errorf("Warnings() =\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// Of a group that a flag made, the flag is named, also where the rest is from a
// file.
func TestOrigin(t *testing.T) {
	t.Parallel()
	c := fromFile(t)
	c.Groups = []netstat.Group{
		{Origin: "--ports", Ports: []string{"80", "10.0.0.1:80"}},
		{Origin: "--ports-match", PortsMatch: []string{"*:80"}},
	}
	want := []string{shadowed("--ports[1]", "10.0.0.1:80"), shadowed("--ports-match[0]", "*:80")}
	if got := c.Warnings(); !slices.Equal(got, want) {
		t.Errorf("Warnings() = %q, want %q", got, want)
	}
	c.Groups[0].Ports[1], c.Groups[1].PortsMatch = "0", nil
	err := c.Validate()
	const wantErr = `--ports[1] = "0": port 0 does not exist; give a port from 1 to 65535
--ports-match = []: the group has no entries; give at least one, or leave it out`
	if err == nil || err.Error() != wantErr {
		t.Errorf("got  %v\nwant %s", err, wantErr)
	}
}

// Warnings concern one block: others count the same sockets again.
func TestWarningsOfBlocks(t *testing.T) {
	t.Parallel()
	const text = `
[[inputs.netstat]]
addr_ports = [{ports = ["80"]}]
[[inputs.netstat]]
addr_ports = [{ports = ["80"]}, {ports = ["80"]}]
`
	configs, err := netstat.Load("netstat.conf", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range configs {
		got = append(got, c.Warnings()...)
	}
	if want := []string{shadowed("netstat.conf: inputs.netstat[1].addr_ports[1].ports[0]", "80")}; !slices.Equal(got, want) {
		t.Errorf("Warnings() = %q, want %q", got, want)
	}
}

// New tells Warn the same.
func TestNewWarns(t *testing.T) {
	t.Parallel()
	var got []string
	c := netstat.Config{
		Groups: []netstat.Group{{Ports: []string{"443", "10.0.0.1:443"}}},
		Warn:   func(message string) { got = append(got, message) },
	}
	collector, err := netstat.New(c)
	if err != nil {
		t.Fatal(err)
	}
	defer collector.Close()
	if want := c.Warnings(); len(want) != 1 || !slices.Equal(got, want) {
		t.Errorf("Warn was told %q, want %q", got, want)
	}
}

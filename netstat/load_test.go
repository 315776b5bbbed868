package netstat_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"

	"github.com/l4stat/l4stat/internal/golden"
	"github.com/l4stat/l4stat/netstat"
)

const (
	goodConfigs = "../testdata/config/good"
	badConfigs  = "../testdata/config/bad"
)

// defaultsWith gives the default configuration with changes.
func defaultsWith(changes ...func(*netstat.Config)) netstat.Config {
	c := netstat.DefaultConfig()
	for _, change := range changes {
		change(&c)
	}
	return c
}

func withGroups(groups ...netstat.Group) func(*netstat.Config) {
	return func(c *netstat.Config) { c.Groups = groups }
}

func withTags(tags map[string]string) func(*netstat.Config) {
	return func(c *netstat.Config) { c.Tags = tags }
}

// checkConfigs compares the exported fields of configurations. A list or map
// that is empty equals one that is not there.
func checkConfigs(t *testing.T, got, want []netstat.Config) {
	t.Helper()
	if len(got) != len(want) {
		t.Fatalf("got %d configurations, want %d", len(got), len(want))
	}
	for i := range want {
		g, w := exported(reflect.ValueOf(got[i])), exported(reflect.ValueOf(want[i]))
		if !reflect.DeepEqual(g, w) {
			t.Errorf("configuration %d, without what is zero:\n got %v\nwant %v", i, g, w)
		}
	}
}

// exported gives structs as maps of their exported fields that are not empty,
// so that a field added later is compared as well.
func exported(v reflect.Value) any {
	switch v.Kind() {
	case reflect.Struct:
		fields := map[string]any{}
		for _, f := range reflect.VisibleFields(v.Type()) {
			field := v.FieldByIndex(f.Index)
			empty := field.IsZero() || (f.Type.Kind() == reflect.Map || f.Type.Kind() == reflect.Slice) && field.Len() == 0
			if f.IsExported() && !empty {
				fields[f.Name] = exported(field)
			}
		}
		return fields
	case reflect.Slice:
		items := make([]any, v.Len())
		for i := range items {
			items[i] = exported(v.Index(i))
		}
		return items
	default:
		return v.Interface()
	}
}

func TestLoadFileGood(t *testing.T) {
	t.Parallel()
	web := netstat.Group{Ports: []string{"80", "443"}}
	http := netstat.Group{Ports: []string{"80", "443"}, Tags: map[string]string{"service": "http"}}
	tests := map[string][]netstat.Config{
		"datakit_example_1": {defaultsWith(withGroups(web))},
		"datakit_example_2": {defaultsWith(withGroups(http,
			netstat.Group{Ports: []string{"9529"}, Tags: map[string]string{"service": "datakit"}}))},
		"datakit_example_3": {defaultsWith(withGroups(netstat.Group{Ports: []string{"1.1.1.1:80", "2.2.2.2:80"}}))},
		"datakit_example_4": {defaultsWith(withGroups(
			netstat.Group{Ports: []string{"1.1.1.1:80", "2.2.2.2:80"}, PortsMatch: []string{"*:80", "*:443"}}))},

		"datakit_sample": {defaultsWith()},
		"datakit_sample_uncommented": {defaultsWith(
			withGroups(web, http,
				netstat.Group{Ports: []string{"9529"}, Tags: map[string]string{"service": "datakit", "foo": "bar"}},
				netstat.Group{Ports: []string{"1.1.1.1:80", "2.2.2.2:80"}, PortsMatch: []string{"*:80", "*:443"}}),
			withTags(map[string]string{"some_tag": "some_value", "more_tag": "some_other_value"}))},

		"empty_block": {defaultsWith()},
		"single_table": {defaultsWith(
			func(c *netstat.Config) { c.Interval = 30 * time.Second },
			withGroups(netstat.Group{Ports: []string{"80"}, Tags: map[string]string{"service": "http"}}))},
		"inline": {
			defaultsWith(
				func(c *netstat.Config) { c.Interval = 5 * time.Second },
				withGroups(
					netstat.Group{Ports: []string{"80"}, Tags: map[string]string{"service": "http"}},
					netstat.Group{PortsMatch: []string{"*:443"}}),
				withTags(map[string]string{"rack": "12"})),
			defaultsWith(
				func(c *netstat.Config) { c.PID = false },
				withGroups(netstat.Group{Ports: []string{"9529"}, Side: "remote"})),
		},
		"several_blocks": {
			defaultsWith(func(c *netstat.Config) { c.Interval, c.IPVersion = 90*time.Second, "sum" }),
			defaultsWith(
				func(c *netstat.Config) { c.Absent, c.PID = "zero", false },
				withGroups(web, netstat.Group{Ports: []string{"3306"}, Side: "remote", Tags: map[string]string{"service": "mysql"}}),
				withTags(map[string]string{"role": "web"})),
			defaultsWith(withGroups(netstat.Group{PortsMatch: []string{"*:80"}})),
		},
		"entries": {defaultsWith(withGroups(
			netstat.Group{Side: "local", Ports: []string{
				"80", "8000-8010", "1.1.1.1:81", "[2001:db8::1]:81", "10.0.0.0/8:443", "[2001:db8::/32]:443", "::1:81", "[::ffff:10.0.0.0/104]:444",
			}},
			netstat.Group{PortsMatch: []string{"*:9090", "*:9100-9110"}},
			netstat.Group{Side: "remote", Ports: []string{"80", "10.0.0.5:6379"}}))},
		"include": {
			defaultsWith(func(c *netstat.Config) { c.Include = []string{"udp", "tcp", "conntrack", "interface", "route", "tcp"} }),
			defaultsWith(),
		},
		"intervals": {
			defaultsWith(func(c *netstat.Config) { c.Interval = 90 * time.Second }),
			defaultsWith(func(c *netstat.Config) { c.Interval = 250 * time.Millisecond }),
			defaultsWith(func(c *netstat.Config) { c.Interval = time.Millisecond }),
		},
		"tags": {defaultsWith(withTags(map[string]string{
			"data center": "Frankfurt, am Main", "a=b": `C:\temp`, "naïve": "ünïcode 東京", "quote": `say "hi"`, "addr_port": "overridden by each row's",
		}))},
	}
	for _, name := range confNames(t, goodConfigs) {
		if _, ok := tests[name]; !ok {
			t.Errorf("%s/%s.conf is not tested", goodConfigs, name)
		}
	}
	for name, want := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := netstat.LoadFile(filepath.Join(goodConfigs, name+".conf"))
			if err != nil {
				t.Fatal(err)
			}
			checkConfigs(t, got, want)
		})
	}
}

// A file that an editor on Windows saved reads the same.
func TestLoadWindowsText(t *testing.T) {
	t.Parallel()
	text := readFile(t, filepath.Join(goodConfigs, "datakit_sample_uncommented.conf"))
	want, err := netstat.Load("netstat.conf", []byte(text))
	if err != nil {
		t.Fatal(err)
	}
	got, err := netstat.Load("netstat.conf", []byte("\ufeff"+strings.ReplaceAll(text, "\n", "\r\n")))
	if err != nil {
		t.Fatal(err)
	}
	checkConfigs(t, got, want)
}

func TestLoadFileMissing(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "netstat.conf")
	configs, err := netstat.LoadFile(path)
	if !errors.Is(err, os.ErrNotExist) || configs != nil {
		t.Fatalf("LoadFile gave %v and the error %v, want os.ErrNotExist", configs, err)
	}
	if !strings.HasPrefix(err.Error(), "read configuration: ") || !strings.Contains(err.Error(), path) {
		t.Errorf("the error %q does not say what was read", err)
	}
}

// badConfig is a file that must be refused, with what its message has to have
// so that a person can put the file right without another look at the manual.
type badConfig struct {
	name   string
	key    string // in full, as it stands in the message
	value  string // as it stands in the file
	remedy string // what would be right
}

var badBlocks = []badConfig{
	// Keys that nobody knows, at each level.
	{"unknown_top", "intervall", `"10s"`, "only [[inputs.netstat]] blocks are read here"},
	{"unknown_top_table", "agent", "{...}", "only [[inputs.netstat]] blocks are read here"},
	{"unknown_outputs", "outputs", "{...}", "unknown key; only [[inputs.netstat]] blocks are read here"},
	{"unknown_inputs", "inputs.cpu", "{...}", "only [[inputs.netstat]] blocks are read here"},
	{"unknown_inputs_near", "inputs.netsat", "{...}", `did you mean "netstat"?`},
	{"unknown_input", "input", "{...}", `did you mean "inputs"?`},
	{"unknown_block", "inputs.netstat.intervall", `"10s"`, `did you mean "interval"?`},
	{"unknown_block_case", "inputs.netstat.INTERVAL", `"10s"`, `did you mean "interval"?`},
	{"unknown_block_far", "inputs.netstat.gather_by_protocol", "true", "known here: absent, addr_ports, connection_limit, include, interval, ip_version, pid, row_limit, source, tags"},
	{"unknown_block_ports", "inputs.netstat.ports", `["80", "443"]`, "this belongs below a line [[inputs.netstat.addr_ports]]"},
	{"unknown_block_name", "inputs.netstat.name", `"edge"`, "unknown key; known here: absent, addr_ports, connection_limit, include, interval, ip_version, pid, row_limit, source, tags"},
	{"unknown_block_group", "inputs.netstat.addr_port", "{...}", `did you mean "addr_ports"?`},
	{"unknown_group", "inputs.netstat.addr_ports[0].port", `["80"]`, `did you mean "ports"?`},
	{"unknown_group_far", "inputs.netstat.addr_ports[0].interval", `"10s"`, "known here: ports, ports_match, side, tags"},
	{"unknown_tag_table", "inputs.netstat.tag", "{...}", `did you mean "tags"?`},
	{"unknown_include", "inputs.netstat.includes", `["tcp"]`, `did you mean "include"?`},
	{"agent_fieldpass", "inputs.netstat.fieldpass", `["tcp_established"]`, "this is an option of Telegraf's agent"},
	{"agent_tagpass", "inputs.netstat.tagpass", "{...}", "this is an option of Telegraf's agent"},
	{"agent_name_override", "inputs.netstat.name_override", `"connections"`, "leave it out here"},

	// A wrong type for each key.
	{"type_inputs", "inputs", `"netstat"`, "only [[inputs.netstat]] blocks are read here"},
	{"type_inputs_list", "inputs", "{...}", "only [[inputs.netstat]] blocks are read here"},
	{"type_netstat", "inputs.netstat", "true", "start it with [[inputs.netstat]] on a line of its own"},
	{"type_interval", "inputs.netstat.interval", "true", `give a time in quotes, such as "10s"`},
	{"type_interval_list", "inputs.netstat.interval", `["10s"]`, `give a time in quotes, such as "10s"`},
	{"type_ip_version", "inputs.netstat.ip_version", "4", "give a string, in quotes, not an integer"},
	{"type_absent", "inputs.netstat.absent", "false", "give a string, in quotes, not a boolean"},
	{"type_pid", "inputs.netstat.pid", `"true"`, "give true or false, without quotes, not a string"},
	{"type_source", "inputs.netstat.source", "1.5", "give a string, in quotes, not a float"},
	{"connection_limit_text", "inputs.netstat.connection_limit", `"many"`, "give a number without quotes, not a string"},
	{"connection_limit_zero", "inputs.netstat.connection_limit", "0", "give a number from 1 to 1000000"},
	{"connection_limit_negative", "inputs.netstat.connection_limit", "-1", "give a number from 1 to 1000000"},
	{"row_limit_text", "inputs.netstat.row_limit", `"many"`, "give a number without quotes, not a string"},
	{"row_limit_zero", "inputs.netstat.row_limit", "0", "give a number from 1 to 1000000"},
	{"row_limit_negative", "inputs.netstat.row_limit", "-1", "give a number from 1 to 1000000"},
	{"row_limit_huge", "inputs.netstat.row_limit", "9223372036854775807", "give a number from 1 to 1000000"},
	{"connection_limit_huge", "inputs.netstat.connection_limit", "9223372036854775807", "give a number from 1 to 1000000"},
	{"type_include", "inputs.netstat.include", `"tcp,udp"`, `give a list of strings, such as ["tcp", "udp"], not a string`},
	{"type_include_boolean", "inputs.netstat.include[1]", "true", "give a string, in quotes, not a boolean"},
	{"type_tags", "inputs.netstat.tags", `"some_tag=some_value"`, `give a table of strings, such as tags = {service = "http"}, not a string`},
	{"type_tags_tables", "inputs.netstat.tags", "{...}", `give a table of strings, such as tags = {service = "http"}, not a list of tables`},
	{"type_tag", "inputs.netstat.tags.rack", "12", "give a string, in quotes, not an integer"},
	{"type_tag_date", "inputs.netstat.tags.since", "2026-01-02", "give a string, in quotes, not a date or time"},
	{"type_tag_table", "inputs.netstat.tags.site", "{...}", "give a string, in quotes, not a table"},
	{"type_addr_ports", "inputs.netstat.addr_ports", `"80"`, "start it with [[inputs.netstat.addr_ports]] on a line of its own"},
	{"type_addr_ports_list", "inputs.netstat.addr_ports", `["1.1.1.1:80", "443"]`, "start it with [[inputs.netstat.addr_ports]] on a line of its own"},
	{"type_addr_ports_second", "inputs.netstat[1].addr_ports", "80", "start it with [[inputs.netstat.addr_ports]] on a line of its own"},
	{"type_ports", "inputs.netstat.addr_ports[0].ports", `"80,443"`, `give a list of strings, such as ["80", "443"], not a string`},
	{"type_ports_integer", "inputs.netstat.addr_ports[0].ports", "80", `give a list of strings, such as ["80", "443"], not an integer`},
	{"type_ports_integers", "inputs.netstat.addr_ports[0].ports[1]", "443", "give a string, in quotes, not an integer"},
	{"type_ports_match", "inputs.netstat.addr_ports[0].ports_match", `"*:80"`, `give a list of strings, such as ["*:80", "*:443"], not a string`},
	{"type_ports_match_integers", "inputs.netstat.addr_ports[0].ports_match[1]", "443", "give a string, in quotes, not an integer"},
	{"type_side", "inputs.netstat.addr_ports[0].side", "true", "give a string, in quotes, not a boolean"},
	{"type_group_tags", "inputs.netstat.addr_ports[0].tags", `["service=http"]`, `give a table of strings, such as tags = {service = "http"}, not a list`},
	{"type_group_tag", "inputs.netstat.addr_ports[0].tags.critical", "true", "give a string, in quotes, not a boolean"},

	// Values that an option does not have.
	{"interval_no_unit", "inputs.netstat.interval", `"10"`, `give a number and a unit, such as "10s" or "1m"`},
	{"interval_word", "inputs.netstat.interval", `"often"`, `give a number and a unit, such as "10s" or "1m"`},
	{"interval_empty", "inputs.netstat.interval", `""`, `give a number and a unit, such as "10s" or "1m"`},
	{"interval_zero", "inputs.netstat.interval", `"0s"`, `give 1ms or more, such as "10s"`},
	{"interval_short", "inputs.netstat.interval", `"1ns"`, `give 1ms or more, such as "10s"`},
	{"interval_negative", "inputs.netstat.interval", `"-10s"`, `give 1ms or more, such as "10s"`},
	{"interval_centuries", "inputs.netstat.interval", `"2540400h"`, "give 8760h, which is a year, or less"},
	{"interval_integer", "inputs.netstat.interval", "10", `give a time in quotes, such as "10s", not an integer`},
	{"interval_float", "inputs.netstat.interval", "0.5", `give a time in quotes, such as "10s", not a float`},
	{"interval_day", "inputs.netstat.interval", `"1d"`, `give a number and a unit, such as "10s" or "1m"`},
	{"ip_version", "inputs.netstat.ip_version", `"4"`, `give one of "split", "sum"`},
	{"absent", "inputs.netstat.absent", `"none"`, `give one of "omit", "zero"`},
	{"include", "inputs.netstat.include[1]", `"conntrak"`, `give one or more of "tcp", "udp", "conntrack", "interface", "route", "connection"`},
	{"include_empty", "inputs.netstat.include[0]", `""`, `give one or more of "tcp", `},
	{"source", "inputs.netstat.source", `"netlnk"`, `give one of "auto", `},
	{"side", "inputs.netstat.addr_ports[0].side", `"peer"`, `give one of "local", "remote"`},

	// Entries that cannot be meant.
	{"port_0", "inputs.netstat.addr_ports[0].ports[0]", `"0"`, "give a port from 1 to 65535"},
	{"port_65536", "inputs.netstat.addr_ports[0].ports[1]", `"65536"`, "give a port from 1 to 65535"},
	{"port_service", "inputs.netstat.addr_ports[0].ports[0]", `"1.1.1.1:http"`, `"http" is not a port number; give a port from 1 to 65535`},
	{"port_range_backwards", "inputs.netstat.addr_ports[0].ports[0]", `"8010-8000"`, `write "8000-8010"`},
	{"port_range_spaces", "inputs.netstat.addr_ports[0].ports[0]", `"8000 - 8010"`, "give a port from 1 to 65535"},
	{"port_empty", "inputs.netstat.addr_ports[0].ports[0]", `""`, "give a port from 1 to 65535"},
	{"port_missing", "inputs.netstat.addr_ports[0].ports[0]", `"10.0.0.1"`, `write "10.0.0.1:80", or another port`},
	{"port_missing_ipv6", "inputs.netstat.addr_ports[0].ports[0]", `"[2001:db8::1]"`, `write "[2001:db8::1]:80", or another port`},
	{"port_list_in_string", "inputs.netstat.addr_ports[0].ports[0]", `"80,443"`, "give each in quotes of its own"},
	{"address_host_name", "inputs.netstat.addr_ports[0].ports[0]", `"localhost:80"`, `write one such as "10.0.0.1" or "[2001:db8::1]", or the port alone`},
	{"address_network", "inputs.netstat.addr_ports[0].ports[0]", `"10.0.0.0/33:443"`, `write an entry such as "10.0.0.0/8:443" or "[2001:db8::/32]:443"`},
	{"address_network_brackets", "inputs.netstat.addr_ports[0].ports[0]", `"[2001:db8::]/32:443"`, `write an entry such as "10.0.0.0/8:443" or "[2001:db8::/32]:443"`},
	{"address_asterisk", "inputs.netstat.addr_ports[0].ports[0]", `"*:80"`, `ports_match = ["*:80"]; in ports, write "80"`},
	{"address_colon", "inputs.netstat.addr_ports[0].ports[0]", `":80"`, `write "80" for any address`},
	{"address_zone", "inputs.netstat.addr_ports[0].ports[0]", `"[fe80::1%eth0]:80"`, "leave out what follows the %"},
	{"match_address", "inputs.netstat.addr_ports[0].ports_match[0]", `"1.1.1.1:80"`, `write "*:80" for a row for each address, or move the entry to ports`},
	{"match_port_alone", "inputs.netstat.addr_ports[0].ports_match[0]", `"80"`, `write "*:80" for a row for each address`},
	{"match_service", "inputs.netstat.addr_ports[0].ports_match[0]", `"*:http"`, "give a port from 1 to 65535"},
	{"match_no_port", "inputs.netstat.addr_ports[0].ports_match[0]", `"10.0.0.1"`, `ports_match takes only "*:port"; write "*:80"`},
	{"match_port_0", "inputs.netstat.addr_ports[0].ports_match[0]", `"*:0"`, "give a port from 1 to 65535"},
	{"match_port_65536", "inputs.netstat.addr_ports[0].ports_match[0]", `"*:1-65536"`, "give a port from 1 to 65535"},

	{"match_and_ports", "inputs.netstat.addr_ports[0].ports[1]", `"garbage"`, `"garbage" is not a port number`},

	// Groups without entries.
	{"group_empty", "inputs.netstat.addr_ports[0].ports", "[]", `give at least one, such as ports = ["80"]`},
	{"group_empty_lists", "inputs.netstat.addr_ports[0].ports", "[]", `give at least one, such as ports = ["80"]`},
	{"group_tags_only", "inputs.netstat.addr_ports[0].ports", "[]", `give at least one, such as ports = ["80"]`},

	// Tags that the plugin sets, or that line protocol cannot carry.
	{"group_tag_addr_port", "inputs.netstat.addr_ports[0].tags.addr_port", `"web"`, "give yours another name"},
	{"group_tag_ip_version", "inputs.netstat.addr_ports[0].tags.ip_version", `"4"`, "give yours another name"},
	{"group_tag_side", "inputs.netstat.addr_ports[0].tags.side", `"out"`, "give yours another name"},
	{"group_tag_empty", "inputs.netstat.addr_ports[0].tags.service", `""`, "leave it out"},
	{"group_tag_time", "inputs.netstat.addr_ports[0].tags.time", `"now"`, "InfluxDB keeps this name for itself"},
	{"tag_time", "inputs.netstat.tags.time", `"now"`, "give yours another name"},
	{"tag_bidi", "inputs.netstat.tags.some_tag", `"\u202eexe.txt"`, "make text look other than it reads; leave them out"},
	{"tag_bidi_name", "inputs.netstat.tags.a\u2066b", `"some_value"`, "make text look other than it reads; leave them out"},
	{"tag_empty", "inputs.netstat.tags.some_tag", `""`, "leave it out"},
	{"tag_no_name", `inputs.netstat.tags.""`, `"some_value"`, "a tag must have a name"},
	{"tag_control", "inputs.netstat.tags.some_tag", `"some\nvalue"`, "leave them out"},
	{"tag_control_name", "inputs.netstat.tags.some\x1b[31mtag", `"some_value"`, "leave them out"},
	{"tag_backslash", "inputs.netstat.tags.path", `"C:\\"`, "a backslash at the end; leave them out"},

	// More than one block, more than one mistake.
	{"second_block", "inputs.netstat[1].addr_ports[1].ports[1]", `"0"`, "give a port from 1 to 65535"},
	{"several", "inputs.netstat.addr_ports[0].ports[2]", `"70000"`, "give a port from 1 to 65535"},
	{"several_keys", "inputs.netstat.addr_ports[0].side", "2", "give a string, in quotes, not an integer"},
}

func TestLoadFileBad(t *testing.T) {
	t.Parallel()
	for _, tt := range badBlocks {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path, err := loadBad(t, tt.name)
			found := false
			for _, e := range unjoin(err) {
				var c *netstat.ConfigError
				if !errors.As(e, &c) {
					t.Errorf("%v is %T, want *netstat.ConfigError", e, e)
					continue
				}
				if c.File != path {
					t.Errorf("the file is %q, want %q", c.File, path)
				}
				key := c.Key
				if strings.ContainsFunc(key, func(r rune) bool { return !unicode.IsPrint(r) }) {
					key = strconv.Quote(key)
				}
				if want := fmt.Sprintf("%s: %s = %s: %s", path, key, c.Value, c.Reason); c.Error() != want {
					t.Errorf("the error reads\n     %s\nwant %s", c, want)
				}
				found = found || c.Key == tt.key && c.Value == tt.value && strings.Contains(c.Reason, tt.remedy)
			}
			if !found {
				t.Errorf("no line for %s = %s that has %q in\n%v", tt.key, tt.value, tt.remedy, err)
			}
		})
	}
}

// Where there is no key to name, the message names the line, or what the file
// does not have.
func TestLoadFileBadText(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, where string
		remedy      string
	}{
		{"toml_quote", ":3: not TOML: ", "strings cannot contain newlines"},
		{"toml_no_quotes", ":2: not TOML: ", "but got 's' instead, in the line: interval = 10s (text stands in quotes"},
		{"toml_no_value", ":2: not TOML: ", `expected value but found '\n' instead`},
		{"toml_remark", ":3: not TOML: ", "// Invalid, overridden by ports_match (text stands in quotes, a remark begins with #)"},
		{"toml_deep", ":2: ", "more than 16 brackets within each other"},
		{"toml_long_key", ":2: ", "a key of more than 16 parts"},
		{"toml_bidi", ":2: ", "U+202E is a bidirectional control character, which makes text look other than it reads; take it out"},
		{"toml_twice", ":3: not TOML: ", "'inputs.netstat.interval' has already been defined"},
		{"toml_table_and_tables", ":4: not TOML: ", "'inputs.netstat' was already created"},
		{"no_block", ": ", "there is no [[inputs.netstat]] block; start one with that line"},
		{"no_block_comments", ": ", "there is no [[inputs.netstat]] block; start one with that line"},
		{"no_block_inputs", ": ", "there is no [[inputs.netstat]] block; start one with that line"},
	}
	names := confNames(t, badConfigs)
	for _, tt := range badBlocks {
		names = slices.DeleteFunc(names, func(name string) bool { return name == tt.name })
	}
	for _, tt := range tests {
		names = slices.DeleteFunc(names, func(name string) bool { return name == tt.name })
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			path, err := loadBad(t, tt.name)
			if len(unjoin(err)) != 1 || !strings.HasPrefix(err.Error(), path+tt.where) || !strings.Contains(err.Error(), tt.remedy) {
				t.Errorf("got %v\nwant one error that begins %s%s and has %s", err, path, tt.where, tt.remedy)
			}
		})
	}
	if len(names) > 0 {
		t.Errorf("%s: not tested: %q", badConfigs, names)
	}
}

// loadBad loads a file of badConfigs and gives its path and the error, whose
// text it compares with the golden file.
func loadBad(t *testing.T, name string) (path string, err error) {
	t.Helper()
	path = filepath.Join(badConfigs, name+".conf")
	if _, err = netstat.LoadFile(path); err == nil {
		t.Fatalf("%s was accepted", path)
	}
	checkLines(t, path, err)
	text := strings.ReplaceAll(err.Error(), path, filepath.Base(path)) + "\n"
	if runtime.GOOS != "linux" && name == "source" {
		return path, err // other systems have other sources
	}
	golden.Compare(t, strings.TrimSuffix(path, ".conf")+".golden", text)
	return path, err
}

// checkLines checks that each line of an error can stand alone, as a log may
// show it, and that what is odd in the file does not reach the terminal as is.
func checkLines(t *testing.T, file string, err error) {
	t.Helper()
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if !strings.HasPrefix(line, file+":") {
			t.Errorf("the line %q does not begin with the file's name", line)
		}
		if strings.ContainsFunc(line, unicode.IsControl) {
			t.Errorf("the line %q would send control characters to a terminal", line)
		}
	}
}

// Everything wrong is reported at once, in the order of the keys.
func TestLoadReportsAll(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		want []string
	}{
		{"several", []string{
			"inputs.netstat.ip_version", "inputs.netstat.absent", "inputs.netstat.tags.some_tag",
			"inputs.netstat.addr_ports[0].ports[1]", "inputs.netstat.addr_ports[0].ports[2]",
			"inputs.netstat.addr_ports[0].tags.addr_port", "inputs.netstat.addr_ports[0].tags.service",
			"inputs.netstat.addr_ports[1].side", "inputs.netstat.addr_ports[1].ports",
		}},
		{"several_keys", []string{
			"inputs.netstat.addr_ports[0].prots", "inputs.netstat.addr_ports[0].side", "inputs.netstat.intervall", "inputs.netstat.pid",
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			_, err := netstat.LoadFile(filepath.Join(badConfigs, tt.name+".conf"))
			var keys []string
			for _, e := range unjoin(err) {
				var c *netstat.ConfigError
				if errors.As(e, &c) {
					keys = append(keys, c.Key)
				}
			}
			if !slices.Equal(keys, tt.want) {
				t.Errorf("the errors concern\n     %q\nwant %q", keys, tt.want)
			}
		})
	}
}

// A value that is long is cut in the message, since its beginning tells which
// one it is.
func TestLoadCutsLongValues(t *testing.T) {
	t.Parallel()
	_, err := netstat.Load("netstat.conf", []byte("[[inputs.netstat]]\nintervall = \""+strings.Repeat("ü", 1000)+"\"\n"))
	want := `netstat.conf: inputs.netstat.intervall = "` + strings.Repeat("ü", 59) + `...: unknown key; did you mean "interval"? ` +
		"(known here: absent, addr_ports, connection_limit, include, interval, ip_version, pid, row_limit, source, tags)"
	if err == nil || err.Error() != want {
		t.Errorf("the error is\n     %v\nwant %s", err, want)
	}
}

// unjoin gives the errors that errors.Join joined, at any depth.
func unjoin(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, unjoin(e)...)
	}
	return all
}

// confNames lists the configurations in a directory, without their extension.
func confNames(tb testing.TB, dir string) []string {
	tb.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.conf"))
	if err != nil {
		tb.Fatal(err)
	}
	names := make([]string, len(paths))
	for i, path := range paths {
		names[i] = strings.TrimSuffix(filepath.Base(path), ".conf")
	}
	return names
}

func readFile(tb testing.TB, path string) string {
	tb.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		tb.Fatal(err)
	}
	return string(data)
}

func FuzzLoad(f *testing.F) {
	for _, dir := range []string{goodConfigs, badConfigs} {
		for _, name := range confNames(f, dir) {
			f.Add([]byte(readFile(f, filepath.Join(dir, name+".conf"))))
		}
	}
	f.Add([]byte(netstat.SampleConfig()))
	f.Add([]byte("\"\\"))                                             // the decoder's message has a NUL, and line 0
	f.Add([]byte("[[inputs.netstat]]\nintervall = \"\\u009b31m\"\n")) // a control character in one byte of Latin-1
	f.Fuzz(func(t *testing.T, data []byte) {
		configs, err := netstat.Load("netstat.conf", data)
		if err != nil {
			checkLines(t, "netstat.conf", err)
			return
		}
		if len(configs) == 0 {
			t.Error("no error, and no configuration")
		}
		for i := range configs {
			if err := configs[i].Validate(); err != nil {
				t.Errorf("configuration %d: %v", i, err)
			}
			if configs[i].Interval < netstat.MinInterval {
				t.Errorf("configuration %d: the interval is %v", i, configs[i].Interval)
			}
			configs[i].Warnings()
		}
	})
}

package netstat

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/l4stat/l4stat"
	"github.com/l4stat/l4stat/addrports"
	"github.com/l4stat/l4stat/netstat/socket"
)

// SampleConfig gives the documented configuration in TOML, sample.conf.
func SampleConfig() string { return l4stat.SampleConfig }

// Config is one [[inputs.netstat]] block; sample.conf documents its keys. The
// zero Config counts for the whole host, without looking up processes.
type Config struct {
	// Interval is for who runs the Collector, which does not use it. 0 is
	// DefaultInterval.
	Interval time.Duration
	// IPVersion is SplitIPVersions, also when empty, or SumIPVersions. It
	// concerns the measurement netstat.
	IPVersion string
	// Absent is OmitAbsent, also when empty, or ZeroAbsent.
	Absent string
	// PID adds the field pid to netstat_port.
	PID bool
	// Source is a kind of package socket, "" being socket.Auto.
	Source string
	// Include names sets of the kernel's counters, each a measurement of its own:
	// "tcp" is netstat_tcp, and so on for what Included gives.
	Include []string
	// ConnectionLimit bounds the rows of netstat_connection, which "connection" in
	// Include switches on; 0 is DefaultConnectionLimit.
	ConnectionLimit int
	// RowLimit bounds the rows of netstat_port of each entry of Group.PortsMatch:
	// those with the most sockets have rows. The others are summed up in a row for
	// each IP version whose tag addr_port is "other". 0 is DefaultRowLimit.
	RowLimit int
	// Groups make the rows of netstat_port.
	Groups []Group
	// Tags are added to every row that has no tag of that name.
	Tags map[string]string

	// Sockets, when set, is read instead of what Source names. The Collector
	// closes it.
	Sockets socket.Source
	// Warn, when set, is told of what is not an error but not as it should be:
	// in New what Warnings gives, and during Gather, once, that a costlier
	// source has to do, once for each entry that it reached RowLimit, and once
	// which figures of Include procfs does not show. Where nobody is told, the
	// last is an error of each Gather.
	Warn func(message string)

	file, table string // where it was read: "netstat.conf", "inputs.netstat."
}

// Group is one [[inputs.netstat.addr_ports]] block. The struct tags are for
// Telegraf's decoder; Load has its own list of keys.
type Group struct {
	// Ports are entries as addrports.Parse reads them. A row is an entry and an
	// IP version.
	Ports []string `toml:"ports"`
	// PortsMatch are entries as addrports.ParseMatch reads them. They replace
	// Ports. A row is an address and port that has sockets, half-open connections
	// (SYN_RECV) of peers apart. Config.RowLimit bounds them.
	PortsMatch []string `toml:"ports_match"`
	// Side is LocalSide, also when empty, or RemoteSide: whose address and
	// port the entries are compared with.
	Side string `toml:"side"`
	// Tags are added to the group's rows.
	Tags map[string]string `toml:"tags"`
	// Origin is the environment variable or the flag that made the group, if one
	// did. Errors and warnings name it instead of a key.
	Origin string `toml:"-"`
}

// Entries gives the entries that count: PortsMatch where there are any, which
// replace Ports.
func (g *Group) Entries() []string {
	if len(g.PortsMatch) > 0 {
		return g.PortsMatch
	}
	return g.Ports
}

// The intervals at which to gather.
const (
	DefaultInterval = 10 * time.Second // when the configuration does not say
	MinInterval     = time.Millisecond // less cannot be meant
)

// The values of Config.IPVersion.
const (
	SplitIPVersions = "split" // a netstat row for IPv4 and one for IPv6
	SumIPVersions   = "sum"   // one netstat row, without the tag ip_version
)

// The values of Config.Absent.
const (
	OmitAbsent = "omit" // an entry without sockets has no row
	ZeroAbsent = "zero" // an entry of Ports without sockets has rows of zeros
)

// The values of Group.Side.
const (
	LocalSide  = "local"
	RemoteSide = "remote"
)

// The tags that the plugin itself sets.
const (
	tagAddrPort  = "addr_port"
	tagIPVersion = "ip_version"
	tagSide      = "side"
)

// DefaultConfig is an empty [[inputs.netstat]] block: the defaults that
// sample.conf documents.
func DefaultConfig() Config {
	return Config{
		Interval:  DefaultInterval,
		IPVersion: SplitIPVersions,
		Absent:    OmitAbsent,
		PID:       true,
		Source:    socket.Auto,

		ConnectionLimit: DefaultConnectionLimit,
		RowLimit:        DefaultRowLimit,
	}
}

// Validate reports everything in the configuration that cannot be meant, as
// [ConfigError] values joined.
func (c *Config) Validate() error {
	_, err := c.parse()
	return err
}

// Warnings names the entries that can never match, because entries before them
// take all their sockets.
func (c *Config) Warnings() []string {
	groups, err := c.parse()
	if err != nil {
		return nil
	}
	var warnings []string
	for _, side := range sides {
		var all []addrports.Entry
		var keys []string
		for _, g := range groups {
			if g.side != side {
				continue
			}
			for j, e := range g.entries {
				all = append(all, e)
				keys = append(keys, fmt.Sprintf("%s[%d]", g.key, j))
			}
		}
		for _, i := range addrports.Shadowed(all) {
			warnings = append(warnings, c.problem(keys[i], all[i].String(),
				"never matches: entries before it take all its sockets; move it before them, or leave it out").Error())
		}
	}
	return warnings
}

// group is a Group as it is used.
type group struct {
	side    string
	key     string // addr_ports[0].ports or .ports_match: which of the two counts
	entries []addrports.Entry
	tags    map[string]string
}

var sides = []string{LocalSide, RemoteSide}

func (c *Config) parse() ([]group, error) {
	var errs []error
	oneOf := func(key, value string, allowed ...string) {
		if value != "" && !slices.Contains(allowed, value) {
			errs = append(errs, c.problem(key, value, "give one of "+quoteList(allowed)))
		}
	}
	if c.Interval != 0 && c.Interval < MinInterval {
		errs = append(errs, c.problem("interval", c.Interval.String(), longerInterval))
	}
	if c.ConnectionLimit < 0 {
		errs = append(errs, c.problem("connection_limit", strconv.Itoa(c.ConnectionLimit), "give 1 or more"))
	}
	if c.RowLimit < 0 || c.RowLimit > maxRowLimit {
		errs = append(errs, c.problem("row_limit", strconv.Itoa(c.RowLimit), fmt.Sprintf("give a number from 1 to %d", maxRowLimit)))
	}
	_, includeErrs := c.included()
	errs = append(errs, includeErrs...)
	oneOf("ip_version", c.IPVersion, SplitIPVersions, SumIPVersions)
	oneOf("absent", c.Absent, OmitAbsent, ZeroAbsent)
	oneOf("source", c.Source, socket.Kinds()...)
	errs = append(errs, c.checkTags("tags", c.Tags)...)

	groups := make([]group, 0, len(c.Groups))
	for i, g := range c.Groups {
		key := fmt.Sprintf("addr_ports[%d]", i)
		oneOf(key+".side", g.Side, sides...)
		parsed, groupErrs := c.parseGroup(key, g)
		errs = append(errs, groupErrs...)
		groups = append(groups, parsed)
	}
	return groups, errors.Join(errs...)
}

func (c *Config) parseGroup(key string, g Group) (group, []error) {
	var errs []error
	parsed := group{side: g.Side, key: key + ".ports", tags: g.Tags}
	if g.Side == "" {
		parsed.side = LocalSide
	}
	texts, parse := g.Entries(), addrports.Parse
	if len(g.PortsMatch) > 0 {
		parse, parsed.key = addrports.ParseMatch, key+".ports_match"
	}
	remedy := `give at least one, such as ports = ["80"]`
	if g.Origin != "" {
		parsed.key, remedy = g.Origin, "give at least one, or leave it out"
	}
	if len(texts) == 0 {
		empty := c.problem(parsed.key, "", "the group has no entries; "+remedy)
		empty.Value = "[]"
		errs = append(errs, empty)
	}
	for i, text := range texts {
		e, err := parse(text)
		if err != nil {
			errs = append(errs, c.problem(fmt.Sprintf("%s[%d]", parsed.key, i), text, err.Error()))
			continue
		}
		parsed.entries = append(parsed.entries, e)
	}
	for _, own := range []string{tagAddrPort, tagIPVersion, tagSide} {
		if value, ok := g.Tags[own]; ok && (own != tagSide || parsed.side == RemoteSide) {
			errs = append(errs, c.problem(key+".tags."+own, value, "the plugin sets this tag itself; give yours another name"))
		}
	}
	return parsed, append(errs, c.checkTags(key+".tags", g.Tags)...)
}

// checkTags finds tags that line protocol cannot carry.
func (c *Config) checkTags(key string, tags map[string]string) []error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		value := tags[name]
		switch {
		case name == "":
			errs = append(errs, c.problem(key+`.""`, value, "a tag must have a name; give it one"))
		case value == "":
			errs = append(errs, c.problem(key+"."+name, value, "a tag must not be empty; leave it out"))
		case !encodable(name), !encodable(value):
			errs = append(errs, c.problem(key+"."+name, value, "line protocol cannot carry control characters, invalid UTF-8, or a backslash at the end; leave them out"))
		}
	}
	return errs
}

func encodable(s string) bool {
	return utf8.ValidString(s) && !strings.HasSuffix(s, `\`) && !strings.ContainsFunc(s, unicode.IsControl)
}

func quoteList(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = fmt.Sprintf("%q", w)
	}
	return strings.Join(quoted, ", ")
}

// ConfigError is one thing wrong with a configuration.
type ConfigError struct {
	File   string // as Load was told, or "environment"; "" where neither is known
	Key    string // inputs.netstat.addr_ports[1].ports[0]
	Value  string // as it was written
	Reason string // what is wrong and what would be right
}

// Error gives one line with all that a person needs to put it right.
func (e *ConfigError) Error() string {
	key := e.Key
	if !utf8.ValidString(key) || strings.ContainsFunc(key, unicode.IsControl) { // a terminal might obey it
		key = strconv.Quote(key)
	}
	text := fmt.Sprintf("%s = %s: %s", key, e.Value, e.Reason)
	if e.File != "" {
		text = e.File + ": " + text
	}
	return text
}

// problem makes a ConfigError of the value of key, which is in this block, an
// environment variable or a flag.
func (c *Config) problem(key, value, reason string) *ConfigError {
	e := &ConfigError{File: c.file, Key: c.table + key, Value: strconv.Quote(value), Reason: reason}
	switch {
	case strings.HasPrefix(key, envPrefix):
		e.File, e.Key = environment, key
	case strings.HasPrefix(key, "--"):
		e.File, e.Key = "", key
	}
	return e
}

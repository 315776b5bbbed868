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
	"github.com/l4stat/l4stat/internal/printable"
	"github.com/l4stat/l4stat/netstat/socket"
)

// SampleConfig returns the documented configuration in TOML, sample.conf.
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
	// "tcp" is netstat_tcp, and so on for the names that Included returns.
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

	// ProcRoot is where procfs is mounted, for all that is read there; "" is
	// $HOST_PROC, else /proc.
	ProcRoot string
	// Sockets, if non-nil, is read instead of what Source names. The Collector
	// closes it.
	Sockets socket.Source
	// Warn, if non-nil, is called by New with each of Warnings. Gather calls it
	// once if a slower source has to be used, once for each entry that reaches
	// RowLimit, and once for figures of Include that procfs does not show; if Warn
	// is nil, those missing figures are an error of each Gather.
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

// Entries returns the entries that count: PortsMatch where there are any, which
// replace Ports.
func (g *Group) Entries() []string {
	if len(g.PortsMatch) > 0 {
		return g.PortsMatch
	}
	return g.Ports
}

// AddrPorts returns the group as an [addrports.Matcher] takes it. The error is that
// of the first entry that cannot be parsed.
func (g *Group) AddrPorts() (addrports.Group, error) {
	parse := addrports.Parse
	if len(g.PortsMatch) > 0 {
		parse = addrports.ParseMatch
	}
	group := addrports.Group{Remote: g.Side == RemoteSide}
	for _, text := range g.Entries() {
		e, err := parse(text)
		if err != nil {
			return group, fmt.Errorf("%q: %w", text, err)
		}
		group.Entries = append(group.Entries, e)
	}
	return group, nil
}

// The intervals at which to gather.
const (
	DefaultInterval = 10 * time.Second // when the configuration does not say
	MinInterval     = time.Millisecond // less is refused
	MaxInterval     = 365 * 24 * time.Hour
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

// Validate reports everything in the configuration that is invalid, as
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
	var all []addrports.Entry
	var keys []string
	for _, g := range groups {
		for j, e := range g.entries {
			all = append(all, e)
			keys = append(keys, fmt.Sprintf("%s[%d]", g.key, j))
		}
	}
	var warnings []string
	local, remote := matcherOf(groups).Shadowed()
	for _, shadowed := range [][]int{local, remote} {
		for _, i := range shadowed[:min(len(shadowed), maxProblems)] {
			warnings = append(warnings, c.problem(keys[i], all[i].String(),
				"never matches: entries before it take all its sockets; move it before them, or leave it out").Error())
		}
		if more := len(shadowed) - maxProblems; more > 0 {
			e := c.problem("addr_ports", "", fmt.Sprintf("%d more entries never match", more))
			e.Value = "{...}"
			warnings = append(warnings, e.Error())
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

// matcherOf numbers the entries of groups in order.
func matcherOf(groups []group) *addrports.Matcher {
	all := make([]addrports.Group, len(groups))
	for i, g := range groups {
		all[i] = addrports.Group{Remote: g.side == RemoteSide, Entries: g.entries}
	}
	return addrports.NewMatcher(all)
}

// parse compiles the groups. The error has what is invalid in the whole
// configuration.
func (c *Config) parse() ([]group, error) {
	p := problems{file: c.file}
	groups := c.parseInto(&p)
	return groups, p.err()
}

func (c *Config) parseInto(p *problems) []group {
	oneOf := func(key, value string, allowed ...string) {
		if value != "" && !slices.Contains(allowed, value) {
			p.add(c.problem(key, value, "give one of "+quoteList(allowed)))
		}
	}
	limit := func(key string, n, most int) {
		if n < 0 || n > most {
			p.add(c.problem(key, strconv.Itoa(n), fmt.Sprintf("give a number from 1 to %d", most)))
		}
	}
	if c.Interval != 0 {
		if err := checkInterval(c.Interval); err != nil {
			p.add(c.problem("interval", c.Interval.String(), err.Error()))
		}
	}
	limit("connection_limit", c.ConnectionLimit, maxConnectionLimit)
	limit("row_limit", c.RowLimit, maxRowLimit)
	c.included(p)
	oneOf("ip_version", c.IPVersion, SplitIPVersions, SumIPVersions)
	oneOf("absent", c.Absent, OmitAbsent, ZeroAbsent)
	oneOf("source", c.Source, socket.Kinds()...)
	c.checkTags(p, "tags", c.Tags)

	groups := make([]group, 0, len(c.Groups))
	for i, g := range c.Groups {
		key := fmt.Sprintf("addr_ports[%d]", i)
		oneOf(key+".side", g.Side, sides...)
		groups = append(groups, c.parseGroup(p, key, g))
	}
	return groups
}

func (c *Config) parseGroup(p *problems, key string, g Group) group {
	parsed := group{side: g.Side, key: key + ".ports", tags: g.Tags}
	if g.Side == "" {
		parsed.side = LocalSide
	}
	parse := addrports.Parse
	if len(g.PortsMatch) > 0 {
		// They replace the others, which are to be entries all the same.
		c.parseEntries(p, key+".ports", g.Ports, parse)
		parse, parsed.key = addrports.ParseMatch, key+".ports_match"
	}
	remedy := `give at least one, such as ports = ["80"]`
	if g.Origin != "" {
		parsed.key, remedy = g.Origin, "give at least one, or leave it out"
	}
	if len(g.Entries()) == 0 {
		empty := c.problem(parsed.key, "", "the group has no entries; "+remedy)
		empty.Value = "[]"
		p.add(empty)
	}
	parsed.entries = c.parseEntries(p, parsed.key, g.Entries(), parse)
	for _, own := range []string{tagAddrPort, tagIPVersion, tagSide} {
		if value, ok := g.Tags[own]; ok && (own != tagSide || parsed.side == RemoteSide) {
			p.add(c.problem(key+".tags."+own, value, "the plugin sets this tag itself; give yours another name"))
		}
	}
	c.checkTags(p, key+".tags", g.Tags)
	return parsed
}

// parseEntries parses the entries of a key.
func (c *Config) parseEntries(p *problems, key string, texts []string, parse func(string) (addrports.Entry, error)) []addrports.Entry {
	var entries []addrports.Entry
	for i, text := range texts {
		e, err := parse(text)
		if err != nil {
			p.add(c.problem(fmt.Sprintf("%s[%d]", key, i), text, err.Error()))
			continue
		}
		entries = append(entries, e)
	}
	return entries
}

// reservedTags are names that InfluxDB has for itself: a row with a tag of that
// name is refused, and its whole batch with it.
var reservedTags = []string{"time", "_field", "_measurement"}

// checkTags finds tags that line protocol or a database cannot take.
func (c *Config) checkTags(p *problems, key string, tags map[string]string) {
	for _, name := range slices.Sorted(maps.Keys(tags)) {
		value := tags[name]
		switch {
		case name == "":
			p.add(c.problem(key+`.""`, value, "a tag must have a name; give it one"))
		case value == "":
			p.add(c.problem(key+"."+name, value, "a tag must not be empty; leave it out"))
		case slices.Contains(reservedTags, name):
			p.add(c.problem(key+"."+name, value, "InfluxDB keeps this name for itself, and refuses every row that has such a tag; give yours another name"))
		case !encodable(name), !encodable(value):
			p.add(c.problem(key+"."+name, value, "line protocol cannot carry control characters, invalid UTF-8, or a backslash at the end; leave them out"))
		case strings.ContainsFunc(name+value, deceptive):
			p.add(c.problem(key+"."+name, value, "line separators and bidirectional control characters make text look other than it reads; leave them out"))
		}
	}
}

func encodable(s string) bool {
	return utf8.ValidString(s) && !strings.HasSuffix(s, `\`) && !strings.ContainsFunc(s, unicode.IsControl)
}

func deceptive(r rune) bool { return bidi(r) || unicode.In(r, unicode.Zl, unicode.Zp) }

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

// Error returns one line with all that a person needs to put it right. A key of
// many characters is cut.
func (e *ConfigError) Error() string {
	key := printable.Cut(e.Key, 120)
	if printable.Text(key) != key { // a terminal might obey it
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
	e := &ConfigError{File: c.file, Key: c.table + key, Value: quoted(value), Reason: reason}
	switch {
	case strings.HasPrefix(key, envPrefix):
		e.File, e.Key = environment, key
	case strings.HasPrefix(key, "--"):
		e.File, e.Key = "", key
	}
	return e
}

// quoted returns a value in quotes, cut to what is enough to find it.
func quoted(value string) string {
	const enough = 60
	if short := printable.Cut(value, enough); short != value {
		return strconv.Quote(strings.TrimSuffix(short, "...")) + "..."
	}
	return strconv.Quote(value)
}

// maxProblems is how many problems of a configuration are told. Whoever mends
// those sees the others.
const maxProblems = 20

// problems collects what is wrong with a configuration.
type problems struct {
	file string // "" where it is not known
	errs []error
	more int // how many there are beside errs
}

// full reports whether another problem would only be counted, and counts it.
func (p *problems) full() bool {
	if len(p.errs) < maxProblems {
		return false
	}
	p.more++
	return true
}

func (p *problems) add(err error) {
	if !p.full() {
		p.errs = append(p.errs, err)
	}
}

// err returns the problems joined, nil if there are none.
func (p *problems) err() error {
	if p.more == 0 {
		return errors.Join(p.errs...)
	}
	last := fmt.Errorf("and %d more", p.more)
	if p.file != "" {
		last = fmt.Errorf("%s: %w", p.file, last)
	}
	return errors.Join(append(slices.Clip(p.errs), last)...)
}

package netstat

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/BurntSushi/toml"

	"github.com/l4stat/l4stat/internal/guard"
	"github.com/l4stat/l4stat/internal/nearest"
	"github.com/l4stat/l4stat/internal/printable"
	"github.com/l4stat/l4stat/internal/smallfile"
)

// MaxConfigSize is how many bytes a configuration may have.
const MaxConfigSize = 1 << 20

// LoadFile reads a configuration file: one Config for each [[inputs.netstat]]
// block in it. See [Load].
func LoadFile(path string) ([]Config, error) {
	data, err := smallfile.Read(path, MaxConfigSize)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	return Load(path, data)
}

// Load reads a configuration in TOML and returns one Config for each
// [[inputs.netstat]] block, with defaults for the keys that the block leaves out.
//
// Load is strict. It returns all unknown keys and wrong types or, if there are
// none, all invalid values, joined as [ConfigError] values; text that is not TOML
// is another error. name is the file name used in messages.
func Load(name string, data []byte) ([]Config, error) {
	if len(data) > MaxConfigSize {
		return nil, fmt.Errorf("%s: %w", name, smallfile.TooLong(MaxConfigSize))
	}
	if err := scanText(name, data); err != nil {
		return nil, err
	}
	var tree map[string]any
	if _, err := guard.Parse(func() (toml.MetaData, error) { return toml.Decode(string(data), &tree) }); err != nil {
		var syntax toml.ParseError
		if errors.As(err, &syntax) {
			return nil, syntaxError(name, data, syntax)
		}
		return nil, fmt.Errorf("%s: not TOML: %w", name, err)
	}
	l := loader{name: name, problems: problems{file: name}}
	configs := l.file(tree)
	if err := l.err(); err != nil {
		return nil, err
	}
	for i := range configs {
		configs[i].parseInto(&l.problems)
	}
	if err := l.err(); err != nil {
		return nil, err
	}
	return configs, nil
}

// syntaxError says where a file is not TOML.
func syntaxError(name string, data []byte, e toml.ParseError) error {
	if e.Position.Line > 0 {
		name = fmt.Sprintf("%s:%d", name, e.Position.Line)
	}
	return fmt.Errorf("%s: not TOML: %s, in the line: %s (text stands in quotes, a remark begins with #)",
		name, shown(strings.TrimSuffix(e.Message, "."), 200), shown(line(data, max(e.Position.Line, 1)), 80))
}

// line gives line n of a text, the first being 1, without the space around it.
func line(text []byte, n int) string {
	for l := range bytes.Lines(text) {
		if n--; n == 0 {
			return string(bytes.TrimSpace(l))
		}
	}
	return ""
}

// shown returns text from a file as a message may quote it: what a terminal might
// obey is escaped, and what goes beyond n characters is left out.
func shown(text string, n int) string { return printable.Text(printable.Cut(text, n)) }

// loader turns decoded TOML into Configs and collects what is wrong with it.
type loader struct {
	problems
	name string
}

func (l *loader) fail(key string, value any, format string, args ...any) {
	if l.full() {
		return
	}
	l.add(&ConfigError{File: l.name, Key: key, Value: tomlText(value), Reason: fmt.Sprintf(format, args...)})
}

const block = "inputs.netstat"

func (l *loader) file(tree map[string]any) []Config {
	const only = "only [[" + block + "]] blocks are read here"
	netstat := tree
	prefix := ""
	for part := range strings.SplitSeq(block, ".") {
		for _, key := range slices.Sorted(maps.Keys(netstat)) {
			if key != part {
				l.unknown(prefix, key, netstat[key], []string{part}, only)
			}
		}
		if prefix += part; prefix == block {
			break
		}
		inner, ok := netstat[part].(map[string]any)
		if !ok && netstat[part] != nil {
			l.fail(prefix, netstat[part], "%s", only)
		}
		netstat, prefix = inner, prefix+"."
	}

	var blocks []map[string]any
	if value := netstat["netstat"]; value != nil {
		blocks = l.tables(block, value)
	}
	if len(blocks) == 0 && l.err() == nil {
		l.add(fmt.Errorf("%s: there is no [[%s]] block; start one with that line", l.name, block))
	}
	configs := make([]Config, len(blocks))
	for i, table := range blocks {
		at := block
		if len(blocks) > 1 {
			at = fmt.Sprintf("%s[%d]", block, i)
		}
		configs[i] = DefaultConfig()
		configs[i].file, configs[i].table = l.name, at+"."
		readTable(l, at+".", table, configKeys, &configs[i])
	}
	return configs
}

// setter reads the value of one key into a T.
type setter[T any] func(l *loader, key string, value any, into *T)

// The keys of an [[inputs.netstat]] block and of its groups.
var (
	configKeys = map[string]setter[Config]{
		"interval":   func(l *loader, key string, v any, c *Config) { c.Interval = l.duration(key, v) },
		"ip_version": func(l *loader, key string, v any, c *Config) { c.IPVersion = l.text(key, v) },
		"absent":     func(l *loader, key string, v any, c *Config) { c.Absent = l.text(key, v) },
		"pid":        func(l *loader, key string, v any, c *Config) { c.PID = l.boolean(key, v) },
		"source":     func(l *loader, key string, v any, c *Config) { c.Source = l.text(key, v) },
		"connection_limit": func(l *loader, key string, v any, c *Config) {
			c.ConnectionLimit = l.positive(key, v, maxConnectionLimit)
		},
		"row_limit":  func(l *loader, key string, v any, c *Config) { c.RowLimit = l.positive(key, v, maxRowLimit) },
		"include":    func(l *loader, key string, v any, c *Config) { c.Include = l.texts(key, v, `["tcp", "udp"]`) },
		"tags":       func(l *loader, key string, v any, c *Config) { c.Tags = l.tags(key, v) },
		"addr_ports": func(l *loader, key string, v any, c *Config) { c.Groups = l.groups(key, v) },
	}
	groupKeys = map[string]setter[Group]{
		"ports":       func(l *loader, key string, v any, g *Group) { g.Ports = l.texts(key, v, `["80", "443"]`) },
		"ports_match": func(l *loader, key string, v any, g *Group) { g.PortsMatch = l.texts(key, v, `["*:80", "*:443"]`) },
		"side":        func(l *loader, key string, v any, g *Group) { g.Side = l.text(key, v) },
		"tags":        func(l *loader, key string, v any, g *Group) { g.Tags = l.tags(key, v) },
	}
)

// agentKeys are options that Telegraf's agent takes out of a block before the
// plugin sees it. Elsewhere nobody would act on them.
var agentKeys = []string{
	"alias", "collection_jitter", "collection_offset", "fielddrop", "fieldexclude", "fieldinclude", "fieldpass",
	"log_level", "metric_buffer_limit", "metricpass", "name_override", "name_prefix", "name_suffix", "namedrop",
	"namedrop_separator", "namepass", "namepass_separator", "precision", "startup_error_behavior", "tagdrop", "tagexclude", "taginclude", "tagpass", "time_source",
}

// readTable reads the keys of a table, in alphabetical order.
func readTable[T any](l *loader, prefix string, table map[string]any, keys map[string]setter[T], into *T) {
	for _, key := range slices.Sorted(maps.Keys(table)) {
		if set := keys[key]; set != nil {
			set(l, prefix+key, table[key], into)
			continue
		}
		known := slices.Sorted(maps.Keys(keys))
		l.unknown(prefix, key, table[key], known, "known here: "+strings.Join(known, ", "))
	}
}

// unknown reports a key that nobody reads, with the likeliest one meant.
func (l *loader) unknown(prefix, key string, value any, known []string, otherwise string) {
	if l.full() {
		return
	}
	best := nearest.Of(key, known...)
	switch {
	case slices.Contains(agentKeys, key):
		l.fail(prefix+key, value, "this is an option of Telegraf's agent, which acts on it only for plugins compiled into it; leave it out here")
	case best != "":
		l.fail(prefix+key, value, "unknown key; did you mean %q? (%s)", best, otherwise)
	case prefix != "" && groupKeys[key] != nil:
		l.fail(prefix+key, value, "this belongs below a line [[%s.addr_ports]] (%s)", block, otherwise)
	default:
		l.fail(prefix+key, value, "unknown key; %s", otherwise)
	}
}

func (l *loader) groups(key string, value any) []Group {
	tables := l.tables(key, value)
	groups := make([]Group, len(tables))
	for i, table := range tables {
		readTable(l, fmt.Sprintf("%s[%d].", key, i), table, groupKeys, &groups[i])
	}
	return groups
}

// subscripts are what a key has here and not in a file.
var subscripts = regexp.MustCompile(`\[\d+\]`)

// tables reads an array of tables; [x] for [[x]] is let pass, as by Telegraf.
func (l *loader) tables(key string, value any) []map[string]any {
	switch v := value.(type) {
	case []map[string]any:
		return v
	case map[string]any:
		return []map[string]any{v}
	case []any:
		tables := make([]map[string]any, len(v))
		all := true
		for i := range v {
			var ok bool
			tables[i], ok = v[i].(map[string]any)
			all = all && ok
		}
		if all {
			return tables
		}
	}
	l.fail(key, value, "give a table, not %s; start it with [[%s]] on a line of its own", tomlType(value), subscripts.ReplaceAllString(key, ""))
	return nil
}

func (l *loader) text(key string, value any) string {
	s, ok := value.(string)
	if !ok {
		l.fail(key, value, "give a string, in quotes, not %s", tomlType(value))
	}
	return s
}

func (l *loader) boolean(key string, value any) bool {
	b, ok := value.(bool)
	if !ok {
		l.fail(key, value, "give true or false, without quotes, not %s", tomlType(value))
	}
	return b
}

// positive reads an integer from 1 to most.
func (l *loader) positive(key string, value any, most int) int {
	n, ok := value.(int64)
	switch {
	case !ok:
		l.fail(key, value, "give a number without quotes, not %s", tomlType(value))
	case n < 1 || n > int64(most):
		l.fail(key, value, "give a number from 1 to %d", most)
	}
	return int(n)
}

// duration reads "10s". It does not take a number of seconds: Telegraf, which
// reads the interval of a plugin itself, ignores a number.
func (l *loader) duration(key string, value any) time.Duration {
	text, ok := value.(string)
	if !ok {
		l.fail(key, value, `give a time in quotes, such as "10s", not %s`, tomlType(value))
		return 0
	}
	d, err := parseInterval(text)
	if err != nil {
		l.fail(key, value, "%s", err)
	}
	return d
}

func (l *loader) texts(key string, value any, example string) []string {
	list, ok := value.([]any)
	if !ok {
		l.fail(key, value, "give a list of strings, such as %s, not %s", example, tomlType(value))
		return nil
	}
	texts := make([]string, len(list))
	for i, v := range list {
		s, ok := v.(string)
		if !ok {
			l.fail(fmt.Sprintf("%s[%d]", key, i), v, "give a string, in quotes, not %s", tomlType(v))
		}
		texts[i] = s
	}
	return texts
}

func (l *loader) tags(key string, value any) map[string]string {
	table, ok := value.(map[string]any)
	if !ok {
		l.fail(key, value, `give a table of strings, such as tags = {service = "http"}, not %s`, tomlType(value))
		return nil
	}
	tags := make(map[string]string, len(table))
	for _, name := range slices.Sorted(maps.Keys(table)) {
		tags[name] = l.text(key+"."+name, table[name])
	}
	return tags
}

// tomlText gives a decoded value as TOML has it, on one line, cut to what is
// enough to find it.
func tomlText(value any) string {
	const enough = 60
	switch v := value.(type) {
	case string:
		value = printable.Cut(v, enough+1) // of a megabyte no more is written
	case []any:
		value = v[:min(len(v), enough)]
	}
	written, err := toml.Marshal(map[string]any{"v": value})
	text, plain := strings.CutPrefix(string(written), "v = ")
	if err != nil || !plain {
		return "{...}" // a table
	}
	return shown(strings.TrimSpace(text), enough)
}

func tomlType(value any) string {
	switch value.(type) {
	case string:
		return "a string"
	case bool:
		return "a boolean"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	case []map[string]any:
		return "a list of tables"
	default:
		return "a date or time"
	}
}

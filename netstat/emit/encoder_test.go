package emit_test

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/l4stat/l4stat/internal/golden"
	"github.com/l4stat/l4stat/netstat/emit"
	"github.com/l4stat/l4stat/netstat/metric"
)

func newEncoder(tb testing.TB, p emit.Precision, tags map[string]string) *emit.Encoder {
	tb.Helper()
	enc, err := emit.NewEncoder(p, tags)
	if err != nil {
		tb.Fatal(err)
	}
	return enc
}

// at is a time with digits in every unit.
var at = time.Unix(1767323045, 123456789)

// tags makes tags of keys and values in turn.
func tags(keysAndValues ...string) []metric.Tag {
	var tags []metric.Tag
	for pair := range slices.Chunk(keysAndValues, 2) {
		tags = append(tags, metric.Tag{Key: pair[0], Value: pair[1]})
	}
	return tags
}

func field(key string, v metric.Value) metric.Field {
	return metric.Field{Desc: &metric.Desc{Key: key}, Value: v}
}

// one makes a metric with the field n, and tags of keys and values in turn.
func one(name string, n int64, keysAndValues ...string) metric.Metric {
	return metric.Metric{Name: name, Tags: tags(keysAndValues...), Fields: []metric.Field{field("n", metric.Int(n))}, Time: at}
}

// samples has all kinds of values, and what must be escaped in all places.
var samples = []metric.Metric{
	{
		Name: "netstat",
		Tags: tags("ip_version", "4"),
		Fields: []metric.Field{
			field("tcp_established", metric.Int(12)), field("tcp_none", metric.Value{}), field("negative", metric.Int(-1)),
			field("largest", metric.Int(math.MaxInt64)), field("smallest", metric.Int(math.MinInt64)),
		},
		Time: at,
	},
	{
		Name: "netstat_port",
		Tags: tags("addr_port", "[2001:db8::1]:80", "ip_version", "6", "service", "http"),
		Fields: []metric.Field{
			field("float", metric.Float(1.5)), field("whole", metric.Float(2)), field("zero", metric.Float(0)),
			field("large", metric.Float(1e300)), field("small", metric.Float(-1e-300)),
		},
		Time: at,
	},
	{
		Name: "strings",
		Fields: []metric.Field{
			field("plain", metric.String("nginx")), field("empty", metric.String("")), field("quotes", metric.String(`say "hi"`)),
			field("backslash", metric.String(`C:\temp\`)), field("separators", metric.String("a, b = c")),
			field("lines", metric.String("one\ntwo")), field("unicode", metric.String("東京")), field("digits", metric.String("42i")),
		},
		Time: at,
	},
	{
		Name:   "name with, separators = here",
		Tags:   tags("a key", "a value", "b,key", "b,value", "c=key", "c=value", `d"key`, `d "value"`, `e\key`, `C:\temp`, "stadt", "Köln 東京"),
		Fields: []metric.Field{field("a field", metric.Int(1)), field("b,field", metric.Int(2)), field("c=field", metric.Int(3)), field(`d"field`, metric.Int(4))},
		Time:   at,
	},
	{
		// The metric's own tags count, not the program's.
		Name:   "own_host",
		Tags:   tags("aaa", "first", "host", "other", "zzz", "last"),
		Fields: []metric.Field{field("n", metric.Int(1))},
		Time:   at,
	},
	{
		Name:   "before_1970",
		Fields: []metric.Field{field("n", metric.Int(1))},
		Time:   time.Unix(-3, 0),
	},
	{
		// Neither is a number that line protocol has; the others are told.
		Name: "not_numbers",
		Fields: []metric.Field{
			field("nan", metric.Float(math.NaN())), field("n", metric.Int(1)), field("infinity", metric.Float(math.Inf(1))), field("minus_infinity", metric.Float(math.Inf(-1))),
		},
		Time: at,
	},
}

var programTags = map[string]string{"host": "web 1", "region": "eu"}

func TestEncoderAppend(t *testing.T) {
	t.Parallel()
	tests := []struct {
		precision emit.Precision
		decoder   lineprotocol.Precision
	}{
		{emit.Nanosecond, lineprotocol.Nanosecond},
		{emit.Microsecond, lineprotocol.Microsecond},
		{emit.Millisecond, lineprotocol.Millisecond},
		{emit.Second, lineprotocol.Second},
	}
	for _, tt := range tests {
		t.Run(string(tt.precision), func(t *testing.T) {
			t.Parallel()
			text, err := newEncoder(t, tt.precision, programTags).Append(nil, samples)
			if err != nil {
				t.Fatal(err)
			}
			checkGolden(t, "encoder_"+string(tt.precision)+".lp", text)

			got := decode(t, text, tt.decoder)
			want := make([]metric.Metric, len(samples))
			for i, m := range samples {
				want[i] = expected(m, tt.decoder.Duration())
			}
			if len(got) != len(want) {
				t.Fatalf("%d lines, want %d", len(got), len(want))
			}
			for i := range want {
				if !reflect.DeepEqual(got[i], want[i]) {
					t.Errorf("line %d is read as\n     %v\nwant %v", i+1, got[i], want[i])
				}
			}
		})
	}
}

// expected gives the metric as a database is to see it: with the program's
// tags, without what is no number, in the precision of its time stamps.
func expected(m metric.Metric, precision time.Duration) metric.Metric {
	tags := map[string]string{"host": "web 1", "region": "eu"}
	for _, t := range m.Tags {
		tags[t.Key] = t.Value
	}
	e := metric.Metric{Name: m.Name, Time: m.Time.Truncate(precision)}
	for key, value := range tags {
		e.Tags = append(e.Tags, metric.Tag{Key: key, Value: value})
	}
	slices.SortFunc(e.Tags, func(a, b metric.Tag) int { return strings.Compare(a.Key, b.Key) })
	for _, f := range m.Fields {
		if x, ok := f.Value.Float(); !ok || !math.IsNaN(x) && !math.IsInf(x, 0) {
			e.Fields = append(e.Fields, f)
		}
	}
	return e
}

// decode reads line protocol with its own library.
func decode(t *testing.T, text []byte, p lineprotocol.Precision) []metric.Metric {
	t.Helper()
	var metrics []metric.Metric
	dec := lineprotocol.NewDecoderWithBytes(text)
	for dec.Next() {
		m, err := decodeLine(dec, p)
		if err != nil {
			t.Fatalf("line %d: %v in\n%s", len(metrics)+1, err, text)
		}
		metrics = append(metrics, m)
	}
	return metrics
}

func decodeLine(dec *lineprotocol.Decoder, p lineprotocol.Precision) (m metric.Metric, err error) {
	name, err := dec.Measurement()
	if err != nil {
		return m, err
	}
	m.Name = string(name)
	for {
		key, value, err := dec.NextTag()
		if err != nil {
			return m, err
		}
		if key == nil {
			break
		}
		m.Tags = append(m.Tags, metric.Tag{Key: string(key), Value: string(value)})
	}
	for {
		key, value, err := dec.NextField()
		if err != nil {
			return m, err
		}
		if key == nil {
			break
		}
		f := metric.Field{Desc: &metric.Desc{Key: string(key)}}
		switch v := value.Interface().(type) {
		case int64:
			f.Value = metric.Int(v)
		case float64:
			f.Value = metric.Float(v)
		case string:
			f.Value = metric.String(v)
		default:
			return m, fmt.Errorf("field %s is %T", key, v)
		}
		m.Fields = append(m.Fields, f)
	}
	m.Time, err = dec.Time(p, time.Time{})
	m.Time = m.Time.In(at.Location()) // DeepEqual compares locations too
	return m, err
}

func checkGolden(t *testing.T, name string, got []byte) {
	t.Helper()
	golden.Compare(t, filepath.Join("../../testdata/emit", name), got)
}

func TestEncoderTags(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		program map[string]string
		metric  []string // keys and values
		want    string
	}{
		{"none", nil, nil, "m n=1i 1767323045\n"},
		{"metric's", nil, []string{"a", "1", "b", "2"}, "m,a=1,b=2 n=1i 1767323045\n"},
		{"program's", map[string]string{"b": "2", "a": "1"}, nil, "m,a=1,b=2 n=1i 1767323045\n"},
		{"program's in between", map[string]string{"b": "p"}, []string{"a", "1", "c", "3"}, "m,a=1,b=p,c=3 n=1i 1767323045\n"},
		{"program's around", map[string]string{"a": "p", "c": "p"}, []string{"b", "2"}, "m,a=p,b=2,c=p n=1i 1767323045\n"},
		{"the same", map[string]string{"a": "p", "b": "p", "c": "p"}, []string{"a", "1", "b", "2", "c", "3"}, "m,a=1,b=2,c=3 n=1i 1767323045\n"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			text, err := newEncoder(t, emit.Second, tt.program).Append(nil, []metric.Metric{one("m", 1, tt.metric...)})
			if string(text) != tt.want || err != nil {
				t.Errorf("Append gave %q and the error %v, want %q", text, err, tt.want)
			}
		})
	}
}

// A metric without a time is stamped by whoever receives it.
func TestEncoderNoTime(t *testing.T) {
	t.Parallel()
	m := one("m", 1)
	m.Time = time.Time{}
	text, err := newEncoder(t, emit.Nanosecond, nil).Append(nil, []metric.Metric{m})
	if want := "m n=1i\n"; string(text) != want || err != nil {
		t.Errorf("Append gave %q and the error %v, want %q", text, err, want)
	}
}

// Append must leave alone what it is to append to, and what it encodes.
func TestEncoderAppends(t *testing.T) {
	t.Parallel()
	enc := newEncoder(t, emit.Second, map[string]string{"host": "web1"})
	metrics := []metric.Metric{one("m", 1, "a", "1")}
	text := []byte("before\n")
	for range 2 {
		var err error
		if text, err = enc.Append(text, metrics); err != nil {
			t.Fatal(err)
		}
	}
	if want := "before\n" + strings.Repeat("m,a=1,host=web1 n=1i 1767323045\n", 2); string(text) != want {
		t.Errorf("got\n%swant\n%s", text, want)
	}
	if want := one("m", 1, "a", "1"); !reflect.DeepEqual(metrics[0], want) {
		t.Errorf("the metric became %v", metrics[0])
	}
	if text, err := enc.Append(nil, nil); len(text) != 0 || err != nil {
		t.Errorf("of no metrics: %q and the error %v", text, err)
	}
}

// One metric that line protocol cannot express costs none of the others,
// wherever it stands, and the error concerns it alone.
func TestEncoderLeavesOut(t *testing.T) {
	t.Parallel()
	// The database's own limits are not ours: these are what the protocol has
	// no way to write.
	change := func(f func(*metric.Metric)) metric.Metric {
		m := one("bad", 1)
		f(&m)
		return m
	}
	only := func(key string, v metric.Value) func(*metric.Metric) {
		return func(m *metric.Metric) { m.Fields = []metric.Field{field(key, v)} }
	}
	bad := map[string]metric.Metric{
		"tag without value":          one("bad", 1, "a", ""),
		"tag without key":            one("bad", 1, "", "a"),
		"tag with a line feed":       one("bad", 1, "a", "1\nbad2 n=1i"),
		"tag with invalid UTF-8":     one("bad", 1, "a", "\xff"),
		"tag with a backslash":       one("bad", 1, "a", `C:\`),
		"tag twice":                  one("bad", 1, "a", "1", "a", "2"),
		"second tag wrong":           one("bad", 1, "a", "1", "b", ""),
		"name with a line feed":      one("bad\n", 1),
		"no fields":                  change(func(m *metric.Metric) { m.Fields = nil }),
		"no numbers":                 change(only("n", metric.Float(math.NaN()))),
		"field without key":          change(only("", metric.Int(1))),
		"field with a line feed":     change(only("n\n", metric.Int(1))),
		"time after the last":        change(func(m *metric.Metric) { m.Time = time.Date(3000, 1, 1, 0, 0, 0, 0, time.UTC) }),
		"time before the first":      change(func(m *metric.Metric) { m.Time = time.Date(1000, 1, 1, 0, 0, 0, 0, time.UTC) }),
		"second field without key":   change(func(m *metric.Metric) { m.Fields = append(m.Fields, metric.Field{Desc: &metric.Desc{}}) }),
		"no fields, tag wrong":       change(func(m *metric.Metric) { m.Fields, m.Tags = nil, tags("a", "") }),
		"no fields, name wrong":      change(func(m *metric.Metric) { m.Fields, m.Name = nil, "bad\n" }),
		"no time, field without key": change(func(m *metric.Metric) { m.Fields, m.Time = []metric.Field{{Desc: &metric.Desc{}}}, time.Time{} }),
	}
	const (
		g = true
		b = false
	)
	orders := [][]bool{{b}, {b, g}, {g, b}, {g, b, g}, {b, b, g}, {g, b, b, g}, {g, g, b, g, b, g}}
	for name, bad := range bad {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for _, order := range orders {
				for _, before := range []string{"", "before\n"} {
					var metrics []metric.Metric
					want, wantErrs := before, 0
					for i, good := range order {
						m := bad
						if good {
							m = one("good", int64(i))
							want += fmt.Sprintf("good,host=web1 n=%di 1767323045\n", i)
						} else {
							wantErrs++
						}
						metrics = append(metrics, m)
					}
					enc := newEncoder(t, emit.Second, map[string]string{"host": "web1"})
					text, err := enc.Append([]byte(before), metrics)
					if string(text) != want {
						t.Errorf("good is %v, after %q: got\n%q\nwant\n%q", order, before, text, want)
					}
					if errs := unjoin(err); len(errs) != wantErrs || !namesBad(errs) {
						t.Errorf("good is %v, after %q: got %d errors, want %d, about the bad ones:\n%v", order, before, len(errs), wantErrs, err)
					}
					// What went wrong must not reach the next call.
					text, err = enc.Append(nil, []metric.Metric{one("good", 1)})
					if string(text) != "good,host=web1 n=1i 1767323045\n" || err != nil {
						t.Errorf("good is %v, after %q: the next call gave %q and the error %v", order, before, text, err)
					}
				}
			}
		})
	}
}

func namesBad(errs []error) bool {
	return !slices.ContainsFunc(errs, func(err error) bool { return !strings.Contains(err.Error(), "bad") })
}

// unjoin gives the errors that errors.Join joined.
func unjoin(err error) []error {
	if err == nil {
		return nil
	}
	var joined interface{ Unwrap() []error }
	if errors.As(err, &joined) {
		return joined.Unwrap()
	}
	return []error{err}
}

func TestNewEncoderErrors(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name      string
		precision emit.Precision
		tags      map[string]string
		want      []string // what the error must have
	}{
		{"no precision", "", nil, []string{`no precision ""`, "use ns, us, ms or s"}},
		{"minutes", "m", nil, []string{`no precision "m"`, "use ns, us, ms or s"}},
		{"upper case", "NS", nil, []string{`no precision "NS"`, "use ns, us, ms or s"}},
		{"tag without value", "ns", map[string]string{"host": "web1", "some_tag": ""}, []string{"some_tag", `""`}},
		{"tag without key", "ns", map[string]string{"": "some_value"}, []string{`""`}},
		{"tag with a line feed", "ns", map[string]string{"some_tag": "a\nb"}, []string{"some_tag", `"a\nb"`}},
		{"key with a line feed", "ns", map[string]string{"some\ntag": "a"}, []string{`"some\ntag"`}},
		{"tag with a backslash", "s", map[string]string{"some_tag": `C:\`}, []string{"some_tag", `"C:\\"`}},
		{"tag with invalid UTF-8", "s", map[string]string{"some_tag": "\xff"}, []string{"some_tag", `"\xff"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			enc, err := emit.NewEncoder(tt.precision, tt.tags)
			if err == nil || enc != nil {
				t.Fatalf("NewEncoder gave %v and the error %v", enc, err)
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("the error %q does not have %q", err, want)
				}
			}
			if text := err.Error(); !utf8.ValidString(text) || strings.ContainsFunc(text, unicode.IsControl) {
				t.Errorf("the error %q would send control characters to a terminal", text)
			}
		})
	}
}

func BenchmarkEncoderAppend(b *testing.B) {
	enc := newEncoder(b, emit.Nanosecond, map[string]string{"host": "web1"})
	var text []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if text, err = enc.Append(text[:0], samples); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(text)))
}

package emit

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/influxdata/line-protocol/v2/lineprotocol"

	"github.com/l4stat/l4stat/netstat/metric"
)

// Precision is the unit of time stamps: "ns", "us", "ms" or "s".
type Precision string

// The precisions.
const (
	Nanosecond  Precision = "ns"
	Microsecond Precision = "us"
	Millisecond Precision = "ms"
	Second      Precision = "s"
)

var precisions = map[Precision]lineprotocol.Precision{
	Nanosecond:  lineprotocol.Nanosecond,
	Microsecond: lineprotocol.Microsecond,
	Millisecond: lineprotocol.Millisecond,
	Second:      lineprotocol.Second,
}

// Duration returns how long one unit of time stamps is.
func (p Precision) Duration() time.Duration { return precisions[p].Duration() }

// Encoder turns metrics into line protocol. It is not safe for use by two
// goroutines at once.
type Encoder struct {
	enc       lineprotocol.Encoder
	precision Precision
	tags      []metric.Tag // ascending
	all       []metric.Tag // reused: a metric's tags and the Encoder's
}

// NewEncoder makes an Encoder that writes time stamps in the precision and adds
// the tags to each metric that has none of that name, the host's for one. The
// error says which of its arguments line protocol cannot express.
func NewEncoder(p Precision, tags map[string]string) (*Encoder, error) {
	precision, ok := precisions[p]
	if !ok {
		return nil, fmt.Errorf("no precision %q; use ns, us, ms or s", p)
	}
	e := &Encoder{precision: p}
	e.enc.SetPrecision(precision)
	for _, key := range slices.Sorted(maps.Keys(tags)) {
		e.tags = append(e.tags, metric.Tag{Key: key, Value: tags[key]})
	}
	trial := metric.Metric{Name: "trial", Fields: []metric.Field{{Desc: &metric.Desc{Key: "n"}}}}
	if _, err := e.appendOne(nil, &trial); err != nil {
		return nil, fmt.Errorf("%w; leave out control characters, invalid UTF-8 and a backslash at the end", err)
	}
	return e, nil
}

// Append appends the metrics to b, a line each. Those that line protocol cannot
// express are left out, and the error names them.
func (e *Encoder) Append(b []byte, metrics []metric.Metric) ([]byte, error) {
	var errs []error
	for i := range metrics {
		line, err := e.appendOne(b, &metrics[i])
		if err != nil {
			errs = append(errs, fmt.Errorf("encode metric %q %q: %w", metrics[i].Name, metrics[i].Tags, err))
			continue
		}
		b = line
	}
	return b, errors.Join(errs...)
}

func (e *Encoder) appendOne(b []byte, m *metric.Metric) ([]byte, error) {
	e.enc.SetBuffer(b) // and forget what went wrong before
	e.enc.StartLine(m.Name)
	for _, t := range e.merged(m.Tags) {
		e.enc.AddTag(t.Key, t.Value)
	}
	fields := 0
	for _, f := range m.Fields {
		v, ok := valueOf(f.Value)
		if !ok {
			continue // NaN and infinities: there is nothing to tell
		}
		e.enc.AddField(f.Key, v)
		fields++
	}
	if fields == 0 {
		return nil, errors.New("it has no field that line protocol can express")
	}
	e.enc.EndLine(m.Time)
	return e.enc.Bytes(), e.enc.Err()
}

// merged gives the tags of a metric and the Encoder's own, in order.
func (e *Encoder) merged(tags []metric.Tag) []metric.Tag {
	all, own := e.all[:0], e.tags
	for _, t := range tags {
		for len(own) > 0 && own[0].Key < t.Key {
			all, own = append(all, own[0]), own[1:]
		}
		if len(own) > 0 && own[0].Key == t.Key {
			own = own[1:]
		}
		all = append(all, t)
	}
	e.all = append(all, own...)
	return e.all
}

// valueOf returns a value as line protocol has it; ok is false for what it has
// not.
func valueOf(v metric.Value) (lp lineprotocol.Value, ok bool) {
	if n, isInt := v.Int(); isInt {
		return lineprotocol.IntValue(n), true
	}
	if x, isFloat := v.Float(); isFloat {
		return lineprotocol.FloatValue(x)
	}
	return lineprotocol.StringValue(strings.ToValidUTF8(v.String(), "\uFFFD")) // a process may call itself anything
}

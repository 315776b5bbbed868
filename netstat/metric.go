package netstat

import (
	"math"
	"strconv"
	"time"
)

// Metric is one row of a measurement. It shares nothing with other metrics, so
// the receiver may change it.
type Metric struct {
	// Name is the measurement: "netstat", "netstat_port", or "netstat_" and the
	// name of what Config.Include names.
	Name string
	// Tags are in ascending order of their keys, each key once.
	Tags []Tag
	// Fields have each key once. There is at least one.
	Fields []Field
	// Time is when the Gather began, the same in all of its metrics.
	Time time.Time
}

// Tag is a key and a value that name a series.
type Tag struct{ Key, Value string }

// Field is a measured value.
type Field struct {
	Key   string
	Value Value
	// Counter says that the value only ever counts up, from 0 when the network
	// namespace was made, the interface or the connection, so that its difference
	// from the last one is what counts. Other values are as of the Gather.
	Counter bool
}

// Tag gives the value of the tag, "" where there is none.
func (m *Metric) Tag(key string) string {
	for _, t := range m.Tags {
		if t.Key == key {
			return t.Value
		}
	}
	return ""
}

// Field gives the value of the field; ok is false where there is none.
func (m *Metric) Field(key string) (v Value, ok bool) {
	for _, f := range m.Fields {
		if f.Key == key {
			return f.Value, true
		}
	}
	return Value{}, false
}

// Value is an integer, a float or a string. Unlike an interface it is made
// without allocating. The zero Value is the integer 0.
type Value struct {
	kind valueKind
	bits uint64
	text string
}

type valueKind uint8

const (
	kindInt valueKind = iota
	kindFloat
	kindString
)

// Int makes an integer value.
func Int(n int64) Value { return Value{kind: kindInt, bits: uint64(n)} }

// Float makes a floating-point value.
func Float(x float64) Value { return Value{kind: kindFloat, bits: math.Float64bits(x)} }

// String makes a string value.
func String(s string) Value { return Value{kind: kindString, text: s} }

// Any gives the value as an int64, a float64 or a string.
func (v Value) Any() any {
	switch v.kind {
	case kindFloat:
		return v.float()
	case kindString:
		return v.text
	default:
		return v.int()
	}
}

// Int gives an integer value; ok is false for the other kinds.
func (v Value) Int() (n int64, ok bool) { return v.int(), v.kind == kindInt }

// Float gives a floating-point value; ok is false for the other kinds.
func (v Value) Float() (x float64, ok bool) { return v.float(), v.kind == kindFloat }

// String gives the value as text.
func (v Value) String() string {
	switch v.kind {
	case kindFloat:
		return strconv.FormatFloat(v.float(), 'g', -1, 64)
	case kindString:
		return v.text
	default:
		return strconv.FormatInt(v.int(), 10)
	}
}

func (v Value) int() int64     { return int64(v.bits) }
func (v Value) float() float64 { return math.Float64frombits(v.bits) }

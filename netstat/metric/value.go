package metric

import (
	"math"
	"strconv"
)

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

// Int returns an integer value.
func Int(n int64) Value { return Value{kind: kindInt, bits: uint64(n)} }

// Float returns a floating-point value.
func Float(x float64) Value { return Value{kind: kindFloat, bits: math.Float64bits(x)} }

// String returns a string value.
func String(s string) Value { return Value{kind: kindString, text: s} }

// Any returns the value as an int64, a float64 or a string.
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

// Int returns an integer value; ok is false for the other kinds.
func (v Value) Int() (n int64, ok bool) { return v.int(), v.kind == kindInt }

// Float returns a floating-point value; ok is false for the other kinds.
func (v Value) Float() (x float64, ok bool) { return v.float(), v.kind == kindFloat }

// String returns the value as text.
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

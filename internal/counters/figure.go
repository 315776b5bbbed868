//go:build linux || windows

package counters

import "math"

// figure is a field and where it is among what S holds; ok is false where the
// system does not have it.
type figure[S any] struct {
	Field
	value func(*S) (n int64, ok bool)
}

// fieldsOf returns the fields of figures, for a Set.
func fieldsOf[S any](figures []figure[S]) []Field {
	fields := make([]Field, len(figures))
	for i, f := range figures {
		fields[i] = f.Field
	}
	return fields
}

// valuesOf returns the figures that from has.
func valuesOf[S any](figures []figure[S], from *S) []Value {
	values := make([]Value, 0, len(figures))
	for i := range figures {
		if n, ok := figures[i].value(from); ok {
			values = append(values, Value{&figures[i].Field, n})
		}
	}
	return values
}

// alwaysFigure makes a figure of one that is always there.
func alwaysFigure[S any](f Field, get func(*S) uint64) figure[S] {
	return figure[S]{f, func(s *S) (int64, bool) { return int64(min(get(s), math.MaxInt64)), true }}
}

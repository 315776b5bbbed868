//go:build linux || windows

package counters

import (
	"math"

	"github.com/l4stat/l4stat/netstat/metric"
)

// figure is a field and where it is among what S holds; ok is false where the
// system does not have it.
type figure[S any] struct {
	metric.Desc
	value func(*S) (n int64, ok bool)
}

// descsOf returns what figures are, for a Set.
func descsOf[S any](figures []figure[S]) []*metric.Desc {
	descs := make([]*metric.Desc, len(figures))
	for i := range figures {
		descs[i] = &figures[i].Desc
	}
	return descs
}

// fieldsOf returns the figures that from has.
func fieldsOf[S any](figures []figure[S], from *S) []metric.Field {
	fields := make([]metric.Field, 0, len(figures))
	for i := range figures {
		if n, ok := figures[i].value(from); ok {
			fields = append(fields, metric.Field{Desc: &figures[i].Desc, Value: metric.Int(n)})
		}
	}
	return fields
}

// counter describes a counter.
func counter(key, source, unit string) metric.Desc {
	return metric.Desc{Key: key, Source: source, Unit: unit, Kind: metric.Counter}
}

// alwaysFigure makes a figure of one that is always there.
func alwaysFigure[S any](f metric.Desc, get func(*S) uint64) figure[S] {
	return figure[S]{f, func(s *S) (int64, bool) { return int64(min(get(s), math.MaxInt64)), true }}
}

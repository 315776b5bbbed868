package netstat

import (
	"maps"
	"slices"

	"github.com/l4stat/l4stat/netstat/metric"
)

// mergeTags gives the tags of a row, in ascending order of their keys. Of tags
// with the same key the one from the earliest of the maps counts.
func mergeTags(byPrecedence ...map[string]string) []metric.Tag {
	all := map[string]string{}
	for _, tags := range slices.Backward(byPrecedence) {
		maps.Copy(all, tags)
	}
	merged := make([]metric.Tag, 0, len(all))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		merged = append(merged, metric.Tag{Key: key, Value: all[key]})
	}
	return merged
}

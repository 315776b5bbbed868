package netstat

import (
	"maps"
	"slices"
)

// mergeTags gives the tags of a row, in ascending order of their keys. Of tags
// with the same key the one from the earliest of the maps counts.
func mergeTags(byPrecedence ...map[string]string) []Tag {
	all := map[string]string{}
	for _, tags := range slices.Backward(byPrecedence) {
		maps.Copy(all, tags)
	}
	merged := make([]Tag, 0, len(all))
	for _, key := range slices.Sorted(maps.Keys(all)) {
		merged = append(merged, Tag{key, all[key]})
	}
	return merged
}

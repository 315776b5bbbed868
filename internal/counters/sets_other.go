//go:build !linux && !windows

package counters

var sets []*Set

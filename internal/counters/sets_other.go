//go:build !linux

package counters

var sets []*Set

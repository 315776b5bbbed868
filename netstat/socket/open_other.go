//go:build !linux

package socket

var openers = map[string]opener{
	Auto:     newGopsutil,
	Gopsutil: newGopsutil,
}

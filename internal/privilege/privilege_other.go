//go:build !linux

package privilege

// Descriptors calls fn and returns its error: there are no capabilities here.
func Descriptors(fn func() error) error { return fn() }

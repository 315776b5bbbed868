//go:build !linux

package atstart

// Report has nothing to tell: there are no capabilities here.
func Report() (warning string, err error) { return "", nil }

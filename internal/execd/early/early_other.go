//go:build !linux || !(amd64 || arm64)

package early

// Listen does nothing.
func Listen() {}

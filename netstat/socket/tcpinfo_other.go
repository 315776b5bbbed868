//go:build !linux

package socket

import "errors"

// TCPInfoSize is for Linux.
func TCPInfoSize() (int, error) { return 0, errors.ErrUnsupported }

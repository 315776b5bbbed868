//go:build unix

package execd

import (
	"os"
	"syscall"
)

// askingSignals are those that execd sends to ask for metrics.
var askingSignals = []os.Signal{syscall.SIGHUP, syscall.SIGUSR1, syscall.SIGUSR2}

//go:build !unix

package execd

import (
	"os"
	"syscall"
)

// askingSignals: this system has none; Telegraf asks by standard input.
var askingSignals = []os.Signal{syscall.SIGHUP}

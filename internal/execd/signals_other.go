//go:build !unix

package execd

import (
	"os"
	"syscall"
)

// askingSignals is of no use on this system; Telegraf asks by standard input.
var askingSignals = []os.Signal{syscall.SIGHUP}

package peers

import (
	"os"
	"os/signal"
	"syscall"
)

// DefaultHangups has the programs that a test starts end by SIGHUP, unless they
// handle it, also if the test was started to ignore it, as by nohup. A program
// inherits that a signal is ignored, not that it is handled.
func DefaultHangups() { signal.Notify(make(chan os.Signal, 1), syscall.SIGHUP) }

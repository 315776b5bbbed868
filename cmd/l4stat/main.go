// Command l4stat counts a host's connections by TCP state, per port and per
// address. "l4stat --help" says how.
package main

import (
	"os"

	"github.com/l4stat/l4stat/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args[1:], os.Stdout, os.Stderr)) }

// Command telegraf-netstat counts a host's sockets for Telegraf's
// [[inputs.execd]]. "telegraf-netstat --help" says how.
package main

import (
	"os"

	"github.com/l4stat/l4stat/internal/execd"
)

func main() { os.Exit(execd.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) }

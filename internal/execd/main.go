// Package execd is the command line of telegraf-netstat, which Telegraf runs by
// [[inputs.execd]].
package execd

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"os"

	"github.com/influxdata/telegraf/plugins/common/shim"

	"github.com/l4stat/l4stat/internal/logger"
	"github.com/l4stat/l4stat/netstat"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

const usage = `telegraf-netstat [--config FILE]

Counts this host's sockets for Telegraf's [[inputs.execd]]: line protocol on
standard output, log lines on standard error. It gathers each [[inputs.netstat]]
block of FILE at its own interval (signal = "none"), or, once Telegraf asks for
it by a line on standard input or a signal (signal = "STDIN", "SIGUSR1" or
"SIGHUP"), only when asked. It ends when standard input does.

Without FILE it has one block with the defaults. The environment variables
` + netstat.EnvInterval + `, ` + netstat.EnvAddrPorts + ` and
` + netstat.EnvTags + ` override FILE.
`

// Main runs the program with args, without its name, and gives the exit code.
// Standard input and output are the process's: the shim reads and writes those.
func Main(args []string, stderr io.Writer) int {
	// Telegraf's execd reads the level from the beginning of a line.
	log := logger.New(stderr, "W! ", "E! ")
	flags := flag.NewFlagSet("telegraf-netstat", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	config := flags.String("config", "", "")
	err := flags.Parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Print(usage)
		return exitDone
	}
	if err == nil && flags.NArg() > 0 {
		err = fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	if err != nil {
		log.Error(fmt.Errorf("%w; see telegraf-netstat --help", err))
		return exitUsage
	}

	input, err := load(*config, log)
	if err != nil {
		log.Error(err)
		return exitUsage
	}
	s := shim.New()
	if err := s.AddInput(input); err != nil {
		log.Error(err)
		return exitUsage
	}
	// The shim's own polling has one interval for all; each block has its own.
	if err := s.Run(shim.PollIntervalDisabled); err != nil {
		log.Error(err)
		return exitFailed
	}
	return exitDone
}

// load makes the input of the file's blocks, or of one with the defaults where
// there is no file, the environment applied.
func load(file string, log *logger.Logger) (*blocks, error) {
	configs, err := netstat.LoadWithEnv(file, os.LookupEnv)
	if err != nil {
		return nil, err
	}
	input := &blocks{log: log}
	for _, c := range configs {
		c.Warn = log.WarnOnce
		collector, err := netstat.New(c)
		if err != nil {
			return nil, err
		}
		input.all = append(input.all, block{collector, c.Interval})
	}
	return input, nil
}

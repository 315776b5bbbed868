// Package execd is the command line of telegraf-netstat, which Telegraf runs by
// [[inputs.execd]].
package execd

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/l4stat/l4stat/internal/agent"
	"github.com/l4stat/l4stat/internal/execd/early"
	"github.com/l4stat/l4stat/internal/logger"
	"github.com/l4stat/l4stat/internal/privilege/atstart"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/emit"
	"github.com/l4stat/l4stat/netstat/metric"
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
block of FILE at once and at its own interval (signal = "none"), or, once Telegraf
asks for it by a line on standard input or a signal (signal = "STDIN", "SIGUSR1",
"SIGUSR2" or "SIGHUP"), only when asked. It ends when standard input does, after
the first gather of each block, or by SIGTERM or SIGINT.

Without FILE it has one block with the defaults. The environment variables
` + netstat.EnvInterval + `, ` + netstat.EnvAddrPorts + ` and
` + netstat.EnvTags + ` override FILE.
`

// flushAtExit is how long standard output may take in the end; Telegraf kills what
// has not ended 5 s after it should.
const flushAtExit = 3 * time.Second

// Main runs the program with args, without its name, and returns the exit code.
func Main(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	// Before anything else: Telegraf may ask at any time, and what asks would end a
	// process that does not listen for it.
	asked := make(chan os.Signal, 1)
	signal.Notify(asked, askingSignals...)
	early.Listen()
	defer signal.Stop(asked)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	signal.Ignore(syscall.SIGPIPE) // the write has an error

	// Telegraf's execd reads the level from the beginning of a line.
	log := logger.New(stderr, "W! ", "E! ")
	warning, err := atstart.Report()
	if err != nil {
		log.Error(err)
		return exitFailed
	}
	if warning != "" {
		log.Warn(warning)
	}
	config, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stdout, usage)
		return exitDone
	}
	if err != nil {
		log.Error(fmt.Errorf("%w; see telegraf-netstat --help", err))
		return exitUsage
	}
	configs, err := netstat.LoadWithEnv(config, os.LookupEnv)
	if err != nil {
		log.Error(err)
		return exitUsage
	}
	s := &shim{asked: asked, lines: make(chan struct{}, 1), ended: make(chan struct{}), log: log}
	if err := s.open(configs, stdout, stop); err != nil {
		log.Error(err)
		return exitUsage
	}
	go s.read(stdin)
	s.run(ctx)
	if err := s.close(); err != nil {
		log.Error(err)
		return exitFailed
	}
	return exitDone
}

// parse returns the file of --config.
func parse(args []string) (config string, err error) {
	flags := flag.NewFlagSet("telegraf-netstat", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&config, "config", "", "")
	if err := flags.Parse(args); err != nil {
		return "", err
	}
	if flags.NArg() > 0 {
		return "", fmt.Errorf("unknown argument %q", flags.Arg(0))
	}
	return config, nil
}

// shim gathers blocks at their intervals until Telegraf asks, and from then on
// only when it asks.
type shim struct {
	blocks *agent.Agent
	out    emit.Output
	log    *logger.Logger

	asked <-chan os.Signal
	lines chan struct{} // has a token when a line came
	ended chan struct{} // closed at the end of standard input
}

// open opens what the shim reads and writes. stop is called when nobody reads
// stdout any more.
func (s *shim) open(configs []netstat.Config, stdout io.Writer, stop func()) error {
	enc, err := emit.NewEncoder(emit.Nanosecond, nil)
	if err != nil {
		return err
	}
	if s.out, err = emit.NewStream("standard output", stdout, enc, emit.Options{Warn: s.log.Warn, Ended: stop}); err != nil {
		return err
	}
	s.blocks, err = agent.New(configs, s.log, s.write)
	return err
}

func (s *shim) write(ctx context.Context, metrics []metric.Metric) error {
	if err := s.out.Write(ctx, metrics); err != nil && !errors.Is(err, emit.ErrReaderGone) {
		return err
	}
	return nil
}

// run gathers until standard input or ctx ends.
func (s *shim) run(ctx context.Context) {
	polling, unasked := context.WithCancel(ctx)
	done := make(chan struct{})
	go func() {
		defer close(done)
		s.blocks.Run(ctx, polling)
	}()
	for s.await(ctx) {
		unasked()
		s.blocks.Asked(ctx)
	}
	unasked()
	<-done // each block has been gathered once
}

// await waits to be asked; false is for the end. What was asked for before the
// end of standard input comes first.
func (s *shim) await(ctx context.Context) bool {
	select {
	case <-s.asked:
		return true
	case <-s.lines:
		return true
	case <-ctx.Done():
		return false
	case <-s.ended:
		select {
		case <-s.lines:
			return true
		default:
			return false
		}
	}
}

// read takes note of the lines that come. It reads no line as a whole, so that one
// may have any length, and leaves out those that come while one is waiting.
func (s *shim) read(stdin io.Reader) {
	defer close(s.ended)
	buf := make([]byte, 512)
	for {
		n, err := stdin.Read(buf)
		if bytes.IndexByte(buf[:n], '\n') >= 0 {
			select {
			case s.lines <- struct{}{}:
			default:
			}
		}
		if err != nil {
			return
		}
	}
}

// close writes what is still to be written, if anybody reads it, and frees what
// is held.
func (s *shim) close() error {
	ctx, cancel := context.WithTimeoutCause(context.Background(), flushAtExit, fmt.Errorf("not taken within the %v that there are to end", flushAtExit))
	defer cancel()
	err := s.out.Close(ctx)
	if err != nil {
		err = fmt.Errorf("close standard output: %w", err)
	}
	return errors.Join(err, s.blocks.Close())
}

// Package cli is the command line of l4stat: one file for each command.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/l4stat/l4stat/internal/logger"
	"github.com/l4stat/l4stat/internal/privilege/atstart"
)

// The exit codes.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// Main runs the command line args, without the program's name, and gives the
// exit code: 0 done, 1 failed at run time, 2 bad usage or configuration.
// Results go to stdout, all else to stderr.
func Main(args []string, stdout, stderr io.Writer) int {
	ctx, stop := signal.NotifyContext(takeHangups(context.Background()), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// A reader that has gone away shows as EPIPE in a write, so that other
	// outputs still get what is buffered.
	ignoreBrokenPipe()

	log := newLogger(stderr)
	warning, err := atstart.Report()
	if err != nil {
		log.Error(err)
		return exitFailed
	}
	if warning != "" {
		log.Warn(warning)
	}

	root := newRoot()
	root.SetArgs(args)
	root.SetOut(standardOutput{stdout})
	root.SetErr(stderr)

	running := false
	root.PersistentPreRun = func(*cobra.Command, []string) { running = true }
	type outcome struct {
		cmd *cobra.Command
		err error
	}
	ended := make(chan outcome, 1)
	go func() {
		cmd, err := root.ExecuteContextC(ctx)
		ended <- outcome{cmd, err}
	}()
	var o outcome
	select {
	case o = <-ended:
	case <-ctx.Done():
		stop() // a second signal ends the program at once
		select {
		case o = <-ended:
		case <-time.After(grace):
			// Nothing ends a write to a pipe that nobody reads.
			log.Error(fmt.Errorf("still writing %v after the signal to end; what was not written is lost", grace))
			return exitFailed
		}
	}

	var usage *usageError
	switch err := o.err; {
	case err == nil, err == errReaderGone:
		return exitDone
	case errors.As(err, &usage):
		log.Error(err)
		return exitUsage
	case !running: // cobra did not accept the command line
		log.Error(fmt.Errorf("%w; see %s --help", err, o.cmd.CommandPath()))
		return exitUsage
	default:
		log.Error(err)
		return exitFailed
	}
}

// errReaderGone is the error of writing to a standard output that nothing reads
// any more.
var errReaderGone error = readerGone{}

type readerGone struct{}

func (readerGone) Error() string        { return "standard output was closed by its reader" }
func (readerGone) Is(target error) bool { return target == syscall.EPIPE }

// standardOutput tells a broken pipe of its own from one of another output.
type standardOutput struct{ w io.Writer }

func (s standardOutput) Write(b []byte) (int, error) {
	n, err := s.w.Write(b)
	if errors.Is(err, syscall.EPIPE) {
		err = errReaderGone
	}
	return n, err
}

// grace is how long the program may take to end after a signal.
const grace = 5 * time.Second

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "l4stat",
		Short: "Count connections by TCP state, per port and per address",
		Long: "l4stat counts this host's connections by TCP state, in total, per port and per\n" +
			"address.",
		Version:       version(),
		Args:          noArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate(fmt.Sprintf(versionFormat, "{{.Version}}"))
	root.SetFlagErrorFunc(flagError)
	root.AddCommand(newEmit(), newWatch(), newConns(), newConfig(), newVersion())
	root.SetHelpCommand(newHelp())
	return root
}

func newVersion() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version, as --version does",
		Args:  noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(cmd.OutOrStdout(), versionFormat, cmd.Root().Version)
			return err
		},
	}
}

const versionFormat = "l4stat %s\n"

// newHelp is cobra's, but that what is no command is a mistake.
func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:   "help [command]",
		Short: "Help about any command",
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err == nil && len(rest) > 0 {
				err = noArgs(about, rest)
			}
			if err != nil {
				return usage("%w; see %s --help", err, cmd.Root().CommandPath())
			}
			about.InitDefaultHelpFlag()
			about.InitDefaultVersionFlag()
			return about.Help()
		},
	}
}

// newLogger is for diagnostics, which go to standard error.
func newLogger(w io.Writer) *logger.Logger { return logger.New(w, warningPrefix, "l4stat: ") }

const warningPrefix = "l4stat: warning: "

// version is what the Go tool recorded of the build.
func version() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return info.Main.Version
	}
	return "(unknown)"
}

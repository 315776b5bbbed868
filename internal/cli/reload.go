package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/l4stat/l4stat/internal/agent"
	"github.com/l4stat/l4stat/netstat"
)

// hangups takes SIGHUP: it ends a run as SIGTERM does, unless somebody has another
// use for it. A process that was started to ignore it, as by nohup, ignores it.
type hangups struct{ taker atomic.Pointer[func()] }

type hangupsKey struct{}

// takeHangups begins to take SIGHUP, and returns a context that ends with ctx or by
// SIGHUP, and by which takeHangup finds this.
func takeHangups(ctx context.Context) context.Context {
	h := &hangups{}
	ctx = context.WithValue(ctx, hangupsKey{}, h)
	if signal.Ignored(syscall.SIGHUP) {
		return ctx
	}
	ctx, end := context.WithCancel(ctx)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGHUP)
	go func() {
		defer end()
		for range signals { // as long as the process lives
			if take := h.taker.Load(); take != nil {
				(*take)()
			} else {
				end()
			}
		}
	}()
	return ctx
}

// onHangup has SIGHUP call take instead of ending the run.
func onHangup(ctx context.Context, take func()) {
	if h, ok := ctx.Value(hangupsKey{}).(*hangups); ok {
		h.taker.Store(&take)
	}
}

// reloads returns a channel that has a token when SIGHUP asks for the
// configuration to be read again; nil if SIGHUP is to end the run: where there is
// no file to read again, or a terminal, whose end it tells of.
func (f *emitFlags) reloads(cmd *cobra.Command) <-chan struct{} {
	if stderr, ok := cmd.ErrOrStderr().(*os.File); f.config == "" || f.once || ok && term.IsTerminal(int(stderr.Fd())) {
		return nil
	}
	again := make(chan struct{}, 1)
	onHangup(cmd.Context(), func() {
		select {
		case again <- struct{}{}:
		default: // it is going to be read
		}
	})
	return again
}

// awaitReload waits for a configuration that can be run, and returns what open
// makes of it; nil if ctx ends. One that cannot be changes nothing.
func (f *emitFlags) awaitReload(cmd *cobra.Command, again <-chan struct{}, ctx context.Context, open func([]netstat.Config) (*agent.Agent, error)) *agent.Agent {
	log := newLogger(cmd.ErrOrStderr())
	for {
		select {
		case <-again:
		case <-ctx.Done():
			return nil
		}
		configs, err := f.configs(cmd)
		if err == nil {
			var blocks *agent.Agent
			if blocks, err = open(configs); err == nil {
				log.Info(fmt.Sprintf("%s was read again, [[inputs.netstat]] blocks: %d", f.config, len(configs)))
				return blocks
			}
		}
		log.Error(fmt.Errorf("%w; SIGHUP changed nothing", err))
	}
}

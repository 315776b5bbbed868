package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/l4stat/l4stat/internal/logger"
	"github.com/l4stat/l4stat/netstat/emit"
	"github.com/l4stat/l4stat/netstat/metric"
)

// outputs are all the places where metrics go. Blocks share them.
type outputs struct {
	all  []output
	left atomic.Int32 // that have not ended
}

type output struct {
	name string // fit to be shown
	url  bool
	emit.Output
}

// open opens the outputs. One that cannot be opened is a mistake of usage. end
// ends the run: it is called when what reads the last of them has gone away, as
// head does. That is no failure.
func (o *outputs) open(f *emitFlags, stdout io.Writer, tags map[string]string, log *logger.Logger, end func()) error {
	if _, err := emit.NewEncoder(emit.Precision(f.precision), nil); err != nil {
		return usage("--precision: %w", err)
	}
	options := emit.Options{BufferLimit: f.bufferLimit, Warn: log.Warn}
	if f.bufferLimit <= 0 {
		return usage("--buffer-limit %d: give a number of rows above zero", f.bufferLimit)
	}
	if f.once {
		options.Warn = nil // the end comes at once and tells all
	}
	options.Ended = func() {
		if o.left.Add(-1) <= 0 {
			end()
		} else {
			log.Warn("standard output was closed by its reader; continuing with the other outputs")
		}
	}
	o.left.Store(int32(len(f.outputs)))
	for _, name := range f.outputs {
		to, err := f.openOne(name, stdout, tags, options)
		if err != nil {
			return &usageError{err}
		}
		o.all = append(o.all, output{emit.Redact(name), isURL(name), to})
	}
	return nil
}

func (f *emitFlags) openOne(name string, stdout io.Writer, tags map[string]string, o emit.Options) (emit.Output, error) {
	enc, err := emit.NewEncoder(emit.Precision(f.precision), tags)
	if err != nil {
		return nil, fmt.Errorf("--tag or --host: %w", err)
	}
	var to emit.Output
	switch {
	case name == "-":
		return emit.NewStream("standard output", stdout, enc, o)
	case isURL(name):
		to, err = f.openHTTP(name, enc, o)
	default:
		if err = checkFileName(name); err == nil {
			to, err = emit.NewFile(name, enc, o)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("--output: %w", err)
	}
	return to, nil
}

// write hands metrics to each output, whatever becomes of the others.
func (o *outputs) write(ctx context.Context, metrics []metric.Metric) error {
	var errs []error
	for _, to := range o.all {
		if err := to.Write(ctx, metrics); err != nil && !errors.Is(err, emit.ErrReaderGone) {
			errs = append(errs, fmt.Errorf("write to --output %s: %w", to.name, err))
		}
	}
	return errors.Join(errs...)
}

// How long outputs may take in the end. After a signal it is less than what a
// service manager or a person waits for. With --once, a URL has some time more,
// and a file or standard output as long as it takes.
const (
	flushOnce   = 10 * time.Second
	flushAtExit = 3 * time.Second
)

// close closes the outputs at the same time, so that each has all of the time
// there is. ctx is that of the run, and ends by a signal.
func (o *outputs) close(ctx context.Context, once bool) error {
	errs := make([]error, len(o.all))
	var wait sync.WaitGroup
	for i, to := range o.all {
		wait.Go(func() {
			flush, cancel := flushContext(ctx, once, to.url)
			defer cancel()
			if err := to.Close(flush); err != nil {
				errs[i] = fmt.Errorf("close --output %s: %w", to.name, err)
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// flushContext returns the context in which an output is closed after a run in
// ctx.
func flushContext(ctx context.Context, once, url bool) (context.Context, context.CancelFunc) {
	flush, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	within := func(limit time.Duration) {
		time.AfterFunc(limit, func() { cancel(fmt.Errorf("not taken within the %v that there are to end", limit)) })
	}
	switch {
	case !once:
		within(flushAtExit)
	case url:
		within(flushOnce)
	}
	stop := context.AfterFunc(ctx, func() { within(flushAtExit) })
	return flush, func() {
		stop()
		cancel(nil)
	}
}

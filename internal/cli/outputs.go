package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"

	"github.com/l4stat/l4stat/internal/logger"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/emit"
)

// outputs are all the places where metrics go. Blocks share them.
type outputs struct {
	mu  sync.Mutex
	all []output
	log *logger.Logger
}

type output struct {
	name string
	emit.Output
}

// errNobodyReads ends a run whose only output was standard output, when what
// reads that has gone away, as head does. That is no failure.
var errNobodyReads = errors.New("nobody reads standard output")

// open opens the outputs. One that cannot be opened is a mistake of usage.
func (f *emitFlags) open(stdout io.Writer, tags map[string]string, log *logger.Logger) (*outputs, error) {
	precision := emit.Precision(f.precision)
	if _, err := emit.NewEncoder(precision, nil); err != nil {
		return nil, usage("--precision: %w", err)
	}
	out := &outputs{log: log}
	for _, name := range f.outputs {
		to, err := f.openOne(name, stdout, precision, tags, log)
		if err != nil {
			return nil, errors.Join(&usageError{err}, out.close(context.Background()))
		}
		out.all = append(out.all, output{name, to})
	}
	return out, nil
}

func (f *emitFlags) openOne(name string, stdout io.Writer, p emit.Precision, tags map[string]string, log *logger.Logger) (emit.Output, error) {
	enc, err := emit.NewEncoder(p, tags)
	if err != nil {
		return nil, fmt.Errorf("--tag or --host: %w", err)
	}
	var to emit.Output
	switch {
	case name == "-":
		return emit.NewStream(stdout, enc), nil
	case isURL(name):
		to, err = f.openHTTP(name, enc, log)
	default:
		to, err = emit.NewFile(name, enc)
	}
	if err != nil {
		return nil, fmt.Errorf("--output: %w", err)
	}
	return to, nil
}

// gather counts once and delivers the result to each output, whatever becomes
// of the others. That ctx ended is no error.
func (o *outputs) gather(ctx context.Context, c *netstat.Collector) error {
	metrics, err := c.Gather(ctx)
	if len(metrics) == 0 {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.all = slices.DeleteFunc(o.all, func(to output) bool {
		writeErr := to.Write(ctx, metrics)
		if errors.Is(writeErr, errReaderGone) {
			if len(o.all) > 1 {
				o.log.Warn("what reads standard output has gone away; the other outputs go on")
			}
			return true
		}
		if writeErr != nil {
			err = errors.Join(err, fmt.Errorf("write to --output %s: %w", to.name, writeErr))
		}
		return false
	})
	if len(o.all) == 0 {
		err = errors.Join(err, errNobodyReads)
	}
	return err
}

// close closes the outputs at the same time, so that each has all of the time
// that ctx leaves.
func (o *outputs) close(ctx context.Context) error {
	errs := make([]error, len(o.all))
	var wait sync.WaitGroup
	for i, to := range o.all {
		wait.Go(func() {
			if err := to.Close(ctx); err != nil {
				errs[i] = fmt.Errorf("close --output %s: %w", to.name, err)
			}
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

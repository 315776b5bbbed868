// Package agent gathers the [[inputs.netstat]] blocks of a configuration, each at
// its own interval: what l4stat emit and the execd shim run on.
package agent

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/l4stat/l4stat/internal/logger"
	"github.com/l4stat/l4stat/internal/poll"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/metric"
)

// Agent has the blocks of a configuration.
type Agent struct {
	blocks  []*block
	log     *logger.Logger
	deliver func(context.Context, []metric.Metric) error
}

type block struct {
	mu        sync.Mutex // a Collector gathers one at a time
	collector *netstat.Collector
	interval  time.Duration
	errors    *logger.Repeats
}

// New opens a block for each of the configurations, in place of whose Warn it has
// warnings go to log. What is gathered is passed to deliver, for one block at a
// time; its error is about these metrics. The error of New is about a
// configuration.
func New(configs []netstat.Config, log *logger.Logger, deliver func(context.Context, []metric.Metric) error) (*Agent, error) {
	var mu sync.Mutex
	a := &Agent{log: log, deliver: func(ctx context.Context, metrics []metric.Metric) error {
		mu.Lock()
		defer mu.Unlock()
		return deliver(ctx, metrics)
	}}
	for _, c := range configs {
		c.Warn = log.WarnOnce
		collector, err := netstat.New(c)
		if err != nil {
			return nil, errors.Join(err, a.Close())
		}
		a.blocks = append(a.blocks, &block{collector: collector, interval: c.Interval, errors: log.Repeats()})
	}
	return a, nil
}

// Run gathers each block at once and then at its interval, until polling ends; a
// gather that is under way then is completed, unless ctx ends. Errors go to the
// log, for the next round may do.
func (a *Agent) Run(ctx, polling context.Context) {
	var running sync.WaitGroup
	for _, b := range a.blocks {
		running.Go(func() {
			slow := func(e *poll.SlowError) { a.log.WarnOnce(e.Error()) }
			// The error is nil: log has all of them.
			_ = poll.Every(polling, b.interval, slow, func() error {
				b.errors.Error(a.gather(ctx, b))
				return nil
			})
		})
	}
	running.Wait()
}

// Once gathers each block once and returns their errors.
func (a *Agent) Once(ctx context.Context) error {
	var errs []error
	for _, b := range a.blocks {
		errs = append(errs, a.gather(ctx, b))
	}
	return errors.Join(errs...)
}

// Asked gathers each block once. Errors go to the log.
func (a *Agent) Asked(ctx context.Context) {
	for _, b := range a.blocks {
		b.errors.Error(a.gather(ctx, b))
	}
}

// gather gathers a block and delivers the result. That ctx ended is no error.
func (a *Agent) gather(ctx context.Context, b *block) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	metrics, err := b.collector.Gather(ctx)
	if ctx.Err() != nil && len(metrics) == 0 {
		return nil
	}
	if len(metrics) > 0 {
		err = errors.Join(err, a.deliver(ctx, metrics))
	}
	return err
}

// Close frees what the blocks hold. It must not be called while one is gathered.
func (a *Agent) Close() error {
	var errs []error
	for _, b := range a.blocks {
		errs = append(errs, b.collector.Close())
	}
	return errors.Join(errs...)
}

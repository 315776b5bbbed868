package execd

import (
	"context"
	"os"
	"os/signal"
	"sync"
	"time"

	"github.com/influxdata/telegraf"

	"github.com/l4stat/l4stat/internal/logger"
	"github.com/l4stat/l4stat/internal/poll"
	"github.com/l4stat/l4stat/netstat"
	plugin "github.com/l4stat/l4stat/netstat/telegraf"
)

// blocks is the input that the shim runs: all [[inputs.netstat]] blocks of a
// file, each gathered at its own interval until Telegraf asks, and from then on
// only when it asks.
type blocks struct {
	all []block
	log *logger.Logger

	acc     telegraf.Accumulator
	ctx     context.Context
	stop    context.CancelFunc
	unasked context.CancelFunc // ends the gathering at intervals
	running sync.WaitGroup
}

type block struct {
	collector *netstat.Collector
	interval  time.Duration
}

func (*blocks) SampleConfig() string { return netstat.SampleConfig() }

// Start begins to gather, and to listen for signals that ask for it.
func (b *blocks) Start(acc telegraf.Accumulator) error {
	b.acc = acc
	b.ctx, b.stop = context.WithCancel(context.Background())
	polling, unasked := context.WithCancel(b.ctx)
	b.unasked = unasked
	for i := range b.all {
		b.running.Go(func() {
			// The error is nil: gather reports its own.
			_ = poll.Every(polling, b.all[i].interval, b.slow, func() error {
				b.gather(&b.all[i])
				return nil
			})
		})
	}
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, askingSignals...)
	b.running.Go(func() {
		defer signal.Stop(signals)
		for {
			select {
			case <-signals:
				_ = b.Gather(acc) // nil
			case <-b.ctx.Done():
				return
			}
		}
	})
	return nil
}

// slow warns of an interval that gathering cannot keep to.
func (b *blocks) slow(e *poll.SlowError) { b.log.WarnOnce(e.Error()) }

// Gather gathers all blocks, because Telegraf asked by a line or a signal.
func (b *blocks) Gather(telegraf.Accumulator) error {
	b.unasked()
	for i := range b.all {
		b.gather(&b.all[i])
	}
	return nil
}

func (b *blocks) gather(one *block) {
	metrics, err := one.collector.Gather(b.ctx)
	plugin.Add(b.acc, metrics)
	if err != nil && b.ctx.Err() == nil {
		b.log.Error(err)
	}
}

// Stop ends what Start began.
func (b *blocks) Stop() {
	b.stop()
	b.running.Wait()
	for _, one := range b.all {
		if err := one.collector.Close(); err != nil {
			b.log.Error(err)
		}
	}
}

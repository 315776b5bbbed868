// Package poll does something again and again.
package poll

import (
	"context"
	"time"
)

// Every calls fn at once and then at the interval, until ctx ends or fn returns
// an error, which is Every's. When fn takes longer than the interval, calls are
// left out rather than made up for.
func Every(ctx context.Context, interval time.Duration, fn func() error) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		if err := fn(); err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

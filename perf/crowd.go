package main

import (
	"context"
	"time"

	"github.com/l4stat/l4stat/internal/load"
)

// perProcess is how many descriptors a process of the crowd holds: 200 processes
// have 100,000.
const perProcess = 500

// crowd is the sockets that are measured: a fifth of them TIME_WAIT, the rest
// held by processes.
type crowd struct {
	load     *load.Load
	timeWait int
	made     time.Time // when the TIME_WAITs were
}

func newCrowd() (*crowd, error) {
	l, err := load.New(perProcess)
	return &crowd{load: l}, err
}

// grow brings the crowd to n sockets.
func (c *crowd) grow(ctx context.Context, n int) error {
	c.timeWait, c.made = n/5, time.Time{}
	return c.load.Hold(ctx, n-c.timeWait)
}

// size is how many sockets there are.
func (c *crowd) size() int { return c.load.Held() + c.timeWait }

// timeWaitLife is how long the kernel keeps a TIME_WAIT (TCP_TIMEWAIT_LEN,
// include/net/tcp.h), less a second for having been made one after the other.
const timeWaitLife = 59 * time.Second

// steady makes sure that the crowd stays as it is for a while, so that whoever
// counts in turn counts the same.
func (c *crowd) steady(ctx context.Context, d time.Duration) error {
	if time.Now().Add(d).Before(c.made.Add(timeWaitLife)) {
		return nil
	}
	select {
	case <-time.After(time.Until(c.made.Add(timeWaitLife + 2*time.Second))): // when all of them are gone
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	c.made = time.Now()
	return c.load.TimeWait(ctx, c.timeWait)
}

package main

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// sample is what one call cost.
type sample struct {
	wall, cpu     time.Duration
	bytes, allocs float64 // of Go's heap
	tcp           int     // sockets that it saw
}

// measure calls count once. What was called before leaves it no garbage to
// collect and no memory to give back.
func measure(count func() (int, error)) (s sample, err error) {
	debug.FreeOSMemory()
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	cpu, start := cpuTime(), time.Now()
	s.tcp, err = count()
	s.wall, s.cpu = time.Since(start), cpuTime()-cpu
	runtime.ReadMemStats(&after)
	s.bytes = float64(after.TotalAlloc - before.TotalAlloc)
	s.allocs = float64(after.Mallocs - before.Mallocs)
	return s, err
}

// cpuTime is what this process and those that it has waited for have used, the
// kernel's work for them included.
func cpuTime() time.Duration {
	var sum time.Duration
	for _, who := range []int{unix.RUSAGE_SELF, unix.RUSAGE_CHILDREN} {
		var usage unix.Rusage
		if unix.Getrusage(who, &usage) == nil { // it fails for other values of who only
			sum += time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
		}
	}
	return sum
}

// series are the samples of one subject, a round each.
type series []sample

// compare calls the subjects in turn, each once in a round and each round in
// another order. before is called before each round.
func compare(ctx context.Context, subjects []subject, rounds int, before func() error) ([]series, error) {
	counts := make([]func() (int, error), len(subjects))
	for i, s := range subjects {
		var err error
		if counts[i], err = s.open(ctx); err != nil {
			return nil, err
		}
	}
	all := make([]series, len(subjects))
	for round := range rounds + 1 { // the first is not measured: a program that runs for long has had it
		if err := before(); err != nil {
			return nil, err
		}
		for k := range subjects {
			i := (k + round) % len(subjects)
			s, err := measure(counts[i])
			if err != nil {
				return nil, fmt.Errorf("%s: %w", subjects[i].name, err)
			}
			if round > 0 {
				all[i] = append(all[i], s)
			}
		}
	}
	return all, nil
}

func median(xs []float64) float64 {
	slices.Sort(xs)
	if n := len(xs); n%2 == 0 {
		return (xs[n/2-1] + xs[n/2]) / 2
	}
	return xs[len(xs)/2]
}

// of gives the median of what f takes from the samples.
func (s series) of(f func(sample) float64) float64 {
	xs := make([]float64, len(s))
	for i := range s {
		xs[i] = f(s[i])
	}
	return median(xs)
}

// ratio gives the median of the rounds' ratios of s to base. What slows down a
// whole round, as another program does, is not in it.
func (s series) ratio(base series, f func(sample) float64) float64 {
	xs := make([]float64, len(s))
	for i := range s {
		xs[i] = f(s[i]) / f(base[i])
	}
	return median(xs)
}

func wall(s sample) float64   { return s.wall.Seconds() }
func cpu(s sample) float64    { return s.cpu.Seconds() }
func heap(s sample) float64   { return s.bytes }
func allocs(s sample) float64 { return s.allocs }
func tcp(s sample) float64    { return float64(s.tcp) }

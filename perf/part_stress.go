package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/l4stat/l4stat/internal/load"
)

const (
	stressHeld     = 20_000 // sockets that stay
	stressChurners = 2      // processes that open and close connections
)

// measureStress has connections opened and closed as fast as the machine allows
// while l4stat emit gathers every second, and holds each row against what the
// kernel's own counters allowed at that time.
func measureStress(ctx context.Context, s settings) ([]section, error) {
	c, err := newCrowd()
	if err != nil {
		return nil, err
	}
	defer c.load.Close()
	if err := c.load.Hold(ctx, stressHeld); err != nil {
		return nil, err
	}
	e, err := startBusyEmit(ctx, s.Program, time.Second)
	if err != nil {
		return nil, err
	}
	w := startWatch()
	r := stressRun{still: map[string]map[string]int{}}
	opened, took, err := r.run(ctx, c.load, e, w, s.Stress)
	if err := errors.Join(err, w.stop(), e.end()); err != nil {
		return nil, err
	}
	return []section{{
		Title: "Under stress",
		Text: fmt.Sprintf("%s connections opened and closed in %v, %s a second, beside %s sockets that stay, while `l4stat emit` gathered every second. "+
			"Each gather's TCP sockets, TIME_WAITs and UDP sockets are held against `/proc/net/sockstat` and `sockstat6` just before it and just after: "+
			"they may differ by no more than what began or ended between the two, as `/proc/net/snmp` and `/proc/net/netstat` tell. "+
			"Rows of addresses whose sockets stay must not change at all.",
			thousands(opened), took.Round(time.Second), thousands(int(float64(opened)/took.Seconds())), thousands(stressHeld)),
		Header: []string{"", fmt.Sprint("after ", r.earlyAt.Round(time.Second)), "at the end"},
		Rows: [][]string{
			{"resident memory of `l4stat emit`", size(float64(r.early.rss)), size(float64(r.late.rss))},
			{"its descriptors", figure(float64(r.early.fds)), figure(float64(r.late.fds))},
			{"gathers", figure(float64(r.early.gathers)), figure(float64(r.late.gathers))},
			{"sockets in a gather, median", "", thousands(int(median(r.counted)))},
			{"what the counters leave open, median", "", "±" + figure(median(r.open)*100) + "%"},
			{"rows of addresses whose sockets stay", "", thousands(r.stillRows)},
		},
		Claims: []claim{
			{What: "counts outside of what the kernel's counters allow", Value: float64(r.outside), Bound: 0},
			{What: "rows of sockets that stay that changed", Value: float64(r.changed), Bound: 0},
			{What: "gathers / seconds", Value: float64(r.late.gathers) / s.Stress.Seconds(), Least: true, Bound: 0.95},
			{What: "descriptors of l4stat emit at the end / before", Value: float64(r.late.fds) / float64(r.early.fds), Bound: 1},
			{What: "resident memory of l4stat emit at the end / before", Value: float64(r.late.rss) / float64(r.early.rss), Bound: 1.25},
		},
	}}, nil
}

// stressRun is what was seen of emit.
type stressRun struct {
	begin            time.Time
	early, late      usage
	earlyAt          time.Duration
	counted, open    []float64                 // sockets; what part of them the counters leave open, to either side
	still            map[string]map[string]int // fields by address, of sockets that stay
	stillRows        int
	outside, changed int
}

type usage struct {
	rss          int64
	fds, gathers int
}

// settled is when emit has allocated what it needs.
const settled = 10 * time.Second

// run watches emit for so long, with connections opened and closed after the
// first gather.
func (r *stressRun) run(ctx context.Context, l *load.Load, e *emit, w *watch, d time.Duration) (opened int, took time.Duration, err error) {
	one, next, err := e.gather(nil)
	if err != nil {
		return 0, 0, err
	}
	r.checkStill(one)
	stop, err := l.Churn(ctx, stressChurners)
	if err != nil {
		return 0, 0, err
	}
	r.begin = time.Now()
	for err == nil && time.Since(r.begin) < d {
		one, next, err = e.gather(next)
		if err == nil {
			err = r.check(one, w)
		}
		if err == nil {
			err = r.readUsage(e.cmd.Process.Pid)
		}
	}
	opened, stopErr := stop()
	return opened, time.Since(r.begin), errors.Join(err, stopErr)
}

// check holds the rows of one gather against the counters around it. What began
// in between was counted or not; of what was there before, that which is left
// afterwards, less what began, was there all the time, and so was counted.
func (r *stressRun) check(g gatherRows, w *watch) error {
	before, after, err := w.around(g.rows[0].time, g.received)
	if err != nil {
		return err
	}
	opened := after.opened[1] - before.opened[0]
	waited := after.waited[1] - before.waited[0]
	all, timeWait := 0, 0
	for v, row := range g.rows[:2] { // netstat of IPv4 and of IPv6
		tcp := 0
		for key, n := range row.fields {
			switch key {
			case "udp_socket", "tcp_time_wait", "tcp_syn_recv":
			default:
				tcp += n
			}
		}
		all += tcp
		timeWait += row.fields["tcp_time_wait"]
		r.bracket(row, "TCP", tcp, after.inUse[v]-opened, before.inUse[v]+opened)
		r.bracket(row, "UDP", row.fields["udp_socket"], min(before.udp[v], after.udp[v]), max(before.udp[v], after.udp[v]))
	}
	r.bracket(g.rows[0], "TIME_WAIT of both versions", timeWait, after.timeWait-waited, before.timeWait+waited)
	r.checkStill(g)

	r.counted = append(r.counted, float64(all+timeWait))
	r.open = append(r.open, float64(opened+waited)/float64(all+timeWait))
	r.late.gathers++
	return nil
}

// readUsage keeps what the process uses now, as the early figure too until it
// has had the time to allocate what it needs.
func (r *stressRun) readUsage(pid int) (err error) {
	if r.late.rss, err = procStatus(pid, "VmRSS"); err != nil {
		return err
	}
	fds, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	r.late.fds = len(fds)
	if since := time.Since(r.begin); since < settled || r.early.gathers == 0 {
		r.early, r.earlyAt = r.late, since
	}
	return err
}

func (r *stressRun) bracket(row row, what string, n, low, high int) {
	if n < low || n > high {
		r.outside++
		fmt.Fprintf(os.Stderr, "%v, IPv%s: %d sockets, %s; the counters allow %d to %d\n", row.time.Format(time.TimeOnly), row.version, n, what, low, high)
	}
}

// checkStill compares rows of single addresses, which are all those of processes
// that keep their sockets, with what they were.
func (r *stressRun) checkStill(g gatherRows) {
	for _, row := range g.rows[2:] {
		if _, err := netip.ParseAddrPort(row.addrPort); err != nil {
			continue // of a port, or of a network
		}
		r.stillRows++
		before, ok := r.still[row.addrPort]
		if !ok {
			r.still[row.addrPort] = row.fields
		} else if !maps.Equal(before, row.fields) {
			r.changed++
			fmt.Fprintf(os.Stderr, "%v, %s: %v; it was %v\n", row.time.Format(time.TimeOnly), row.addrPort, row.fields, before)
		}
	}
}

// watch reads the counters all the time.
type watch struct {
	end  chan struct{}
	done sync.WaitGroup

	mu   sync.Mutex
	read []counters // of the last seconds
	err  error
}

const (
	watchInterval = 5 * time.Millisecond
	watchMemory   = 5 * time.Second
)

func startWatch() *watch {
	w := &watch{end: make(chan struct{})}
	w.done.Go(func() {
		tick := time.NewTicker(watchInterval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-w.end:
				return
			}
			c, err := readCounters()
			w.mu.Lock()
			w.read, w.err = append(w.read, c), err
			if time.Since(w.read[0].start) > 2*watchMemory {
				w.read = append([]counters(nil), w.read[len(w.read)/2:]...)
			}
			w.mu.Unlock()
			if err != nil {
				return
			}
		}
	})
	return w
}

// around gives the last counters read before a time and the first after another,
// for which it waits.
func (w *watch) around(begin, end time.Time) (before, after *counters, err error) {
	for {
		w.mu.Lock()
		for i := range w.read {
			if c := &w.read[i]; c.end.Before(begin) {
				before = c
			} else if c.start.After(end) {
				after = c
				break
			}
		}
		err := w.err
		w.mu.Unlock()
		switch {
		case err != nil:
			return nil, nil, err
		case after != nil && before == nil:
			return nil, nil, fmt.Errorf("no counters were read before %v", begin)
		case after != nil:
			return before, after, nil
		}
		time.Sleep(watchInterval)
	}
}

func (w *watch) stop() error {
	close(w.end)
	w.done.Wait()
	return w.err
}

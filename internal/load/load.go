//go:build linux

package load

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"
	"golang.org/x/sync/errgroup"
)

// Ports that the processes listen on, each on some of them.
const (
	FirstPort = 8000
	LastPort  = 8099
)

// Load is the sockets that were made so far, and the processes that hold them.
type Load struct {
	perProcess int
	started    int // processes, ended ones included
	plans      []plan
	holders    []*process
}

// New prepares the network namespace for processes that hold perProcess
// sockets each, 10,000 or so at the most. Close the Load after use.
func New(perProcess int) (*Load, error) {
	if perProcess < minSockets {
		return nil, fmt.Errorf("load: %d sockets in a process; it makes at least %d", perProcess, minSockets)
	}
	up, err := loopbackUp()
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	if up {
		return nil, errors.New("load: loopback is up already: this is not a network namespace of its own")
	}
	if err := ip("link set lo up"); err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"tcp_tw_reuse":       "0",      // a TIME_WAIT stays for its minute
		"tcp_max_tw_buckets": "262144", // and no number of them is too much
	} {
		if err := os.WriteFile("/proc/sys/net/ipv4/"+name, []byte(value), 0); err != nil {
			return nil, fmt.Errorf("load: %w", err)
		}
	}
	return &Load{perProcess: perProcess}, nil
}

// loopbackUp reports whether this namespace's loopback has routes.
func loopbackUp() (bool, error) {
	routes, err := os.ReadFile("/proc/self/net/fib_trie")
	return strings.Contains(string(routes), "127.0.0.0"), err
}

func ip(batch string) error {
	cmd := exec.Command("ip", "-batch", "-")
	cmd.Stdin = strings.NewReader(batch + "\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("load: ip: %w\n%s", err, out)
	}
	return nil
}

// Hold starts processes until they hold n sockets in all. It cannot let go of any.
// When ctx ends, so do the processes.
func (l *Load) Hold(ctx context.Context, n int) error {
	missing := n - l.Held()
	if missing != 0 && missing < minSockets {
		return fmt.Errorf("load: cannot hold %d sockets: %d are held, and a process makes at least %d", n, l.Held(), minSockets)
	}
	var plans []plan
	for missing > 0 {
		size := l.perProcess
		if missing < size+minSockets {
			size = missing // the last one takes the rest
		}
		plans = append(plans, l.plan(size))
		missing -= size
	}
	holders, err := start(ctx, plans)
	if err != nil {
		return err
	}
	l.holders, l.plans = append(l.holders, holders...), append(l.plans, plans...)
	return nil
}

// plan is that of the next process.
func (l *Load) plan(sockets int) plan {
	p := plan{Index: l.started, Sockets: sockets}
	for i := range listeners {
		p.Ports = append(p.Ports, uint16(FirstPort+(listeners*l.started+i)%(LastPort-FirstPort+1)))
	}
	l.started++
	return p
}

// Held is how many sockets the processes hold.
func (l *Load) Held() int {
	n := 0
	for _, p := range l.plans {
		n += p.Sockets
	}
	return n
}

// Counts are exactly the sockets that are held, by kind. TIME_WAITs and what
// [Load.Churn] makes come on top.
func (l *Load) Counts() Counts {
	c := Counts{}
	for _, p := range l.plans {
		c.add(p)
	}
	return c
}

// TimeWait makes TIME_WAITs until there are n. As the kernel keeps one for a
// minute, there are fewer soon after.
func (l *Load) TimeWait(ctx context.Context, n int) error {
	now, err := timeWaits()
	if err != nil {
		return err
	}
	if len(l.holders) == 0 {
		return errors.New("load: TIME_WAIT needs processes that listen; call Hold first")
	}
	missing := n - now
	var group errgroup.Group
	for i, p := range l.holders {
		// Shares that differ by one at the most and add up.
		share := missing*(i+1)/len(l.holders) - missing*i/len(l.holders)
		if share > 0 {
			group.Go(func() error {
				_, err := p.ask(ctx, strconv.Itoa(share))
				return err
			})
		}
	}
	return group.Wait()
}

// timeWaits counts them: "tw" of the line "TCP:" in /proc/net/sockstat, which is
// of this network namespace.
func timeWaits() (int, error) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return 0, fmt.Errorf("load: %w", err)
	}
	stat, err := fs.NetSockstat()
	if err != nil {
		return 0, fmt.Errorf("load: %w", err)
	}
	for _, p := range stat.Protocols {
		if p.Protocol == "TCP" && p.TW != nil {
			return *p.TW, nil
		}
	}
	return 0, errors.New("load: /proc/net/sockstat has no TCP: tw")
}

// Churn starts n processes that open and close connections as fast as they can,
// each keeping 1,000 of them, until stop is called, which gives how many
// were opened.
func (l *Load) Churn(ctx context.Context, n int) (stop func() (opened int, err error), err error) {
	var plans []plan
	for range n {
		p := l.plan(0)
		p.Churn = true
		plans = append(plans, p)
	}
	churners, err := start(ctx, plans)
	if err != nil {
		return nil, err
	}
	return func() (opened int, err error) { return end(churners) }, nil
}

// Close ends the processes that hold sockets. Their connections leave TIME_WAITs.
func (l *Load) Close() error {
	_, err := end(l.holders)
	l.holders, l.plans = nil, nil
	return err
}

// start starts the processes of plans and waits until they are ready. Unless all
// are, it ends them again.
func start(ctx context.Context, plans []plan) (processes []*process, err error) {
	defer func() {
		if err != nil {
			_, _ = end(processes) // why they failed is known
			processes = nil
		}
	}()
	var addresses strings.Builder // all of 127.0.0.0/8 is there anyway
	for _, p := range plans {
		fmt.Fprintf(&addresses, "address add %v/128 dev lo nodad\n", address(p.Index, true))
	}
	if err := ip(addresses.String()); err != nil {
		return nil, err
	}
	for _, p := range plans {
		process, err := startProcess(ctx, p)
		if err != nil {
			return processes, err
		}
		processes = append(processes, process)
	}
	var group errgroup.Group
	for _, p := range processes {
		group.Go(func() error {
			_, err := p.answer(ctx)
			return err
		})
	}
	return processes, group.Wait()
}

// end ends processes and adds up what they answer to that.
func end(processes []*process) (sum int, err error) {
	for _, p := range processes {
		n, endErr := p.end()
		sum += n
		err = errors.Join(err, endErr)
	}
	return sum, err
}

// process is one that holds sockets.
type process struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	answers *bufio.Scanner
	diag    strings.Builder
}

func startProcess(ctx context.Context, p plan) (*process, error) {
	text, err := json.Marshal(p)
	if err != nil {
		return nil, err
	}
	exe, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	proc := &process{cmd: exec.CommandContext(ctx, exe)}
	proc.cmd.Env = append(os.Environ(), marker+"="+string(text))
	proc.cmd.Stderr = &proc.diag
	proc.in, err = proc.cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	out, err := proc.cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	proc.answers = bufio.NewScanner(out)
	if err := proc.cmd.Start(); err != nil {
		return nil, fmt.Errorf("load: %w", err)
	}
	return proc, nil
}

// ask sends a command and waits for the answer.
func (p *process) ask(ctx context.Context, command string) (string, error) {
	if _, err := fmt.Fprintln(p.in, command); err != nil {
		return "", fmt.Errorf("load: %w", err)
	}
	return p.answer(ctx)
}

// answer waits for a line. A process that ends instead has said why.
func (p *process) answer(ctx context.Context) (string, error) {
	if p.answers.Scan() {
		return p.answers.Text(), nil
	}
	err := errors.Join(p.answers.Err(), p.cmd.Wait(), context.Cause(ctx))
	return "", fmt.Errorf("load: a process ended: %w: %s", err, p.diag.String())
}

// end ends a process and gives the number that it answers to that, if any.
func (p *process) end() (n int, err error) {
	err = p.in.Close()
	if p.answers.Scan() {
		n, _ = strconv.Atoi(p.answers.Text())
	}
	if waitErr := p.cmd.Wait(); waitErr != nil {
		err = fmt.Errorf("%w: %s", waitErr, p.diag.String())
	}
	return n, err
}

// PIDs are the processes that hold sockets.
func (l *Load) PIDs() []int {
	pids := make([]int, len(l.holders))
	for i, p := range l.holders {
		pids[i] = p.cmd.Process.Pid
	}
	return pids
}

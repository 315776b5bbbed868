package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/l4stat/l4stat/internal/load"
	"golang.org/x/sys/unix"
)

// The world of the owners part: one process with many descriptors that keeps
// opening short connections, among others with many descriptors of their own. A
// row of such connections has other sockets at each gather, so its owner has to
// be found anew each time.
const (
	callerFDs    = 18_000
	bystanders   = 6
	bystanderFDs = 18_000
	calls        = 20 // at a time
	callLife     = 150 * time.Millisecond
	calledPort   = 7999
	ownersEvery  = 500 * time.Millisecond
	ownersFor    = 10 * time.Second
	ownersRounds = 3
)

// measureOwners compares what l4stat emit costs with and without pid.
func measureOwners(ctx context.Context, s settings) (_ []section, err error) {
	loopback, err := load.New(perProcess)
	if err != nil {
		return nil, err
	}
	defer loopback.Close()
	world, err := newWorld(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, world.close()) }()

	steady := [2]series{}
	var rows, right, lost int
	for range min(s.Rounds, ownersRounds) {
		with, without, err := world.emitBoth(ctx, s.Program)
		if err != nil {
			return nil, err
		}
		steady[0], steady[1] = append(steady[0], with.sample), append(steady[1], without.sample)
		rows, right = rows+with.rows, right+with.right
		lost += with.lost + without.lost
	}
	once := func(pid string) subject {
		return subject{"emit --once, pid = " + pid, func(ctx context.Context) (func() (int, error), error) {
			return func() (int, error) {
				out, err := exec.CommandContext(ctx, s.Program, "emit", "--once", "--config", world.configs[pid]).Output()
				return strings.Count(string(out), fmt.Sprintf("pid=%di", world.caller)), err
			}, nil
		}}
	}
	first, err := compare(ctx, []subject{once("true"), once("false")}, s.Rounds, func() error { return nil })
	if err != nil {
		return nil, err
	}
	on, off := steady[0], steady[1]
	return []section{{
		Title: "Owners that change at each gather",
		Text: fmt.Sprintf("A process with %s sockets opens %d connections at a time, each for %v, beside %d processes with %s descriptors together. "+
			"`l4stat emit` gathers their row, `side = \"remote\"`, every %v for %v, with and without `pid` at the same time; medians of %d runs. "+
			"%d of %d rows had the right `pid`, the others none. `emit --once` starts, looks and ends; medians of %d rounds.",
			thousands(callerFDs), calls, callLife, bystanders, thousands(bystanders*bystanderFDs), ownersEvery, ownersFor, len(on), right, rows, s.Rounds),
		Header: []string{"", "`emit`, CPU", "`emit --once`, wall", "`emit --once`, CPU"},
		Rows: [][]string{
			{"`pid = true`", milliseconds(on.of(cpu)), milliseconds(first[0].of(wall)), milliseconds(first[0].of(cpu))},
			{"`pid = false`", milliseconds(off.of(cpu)), milliseconds(first[1].of(wall)), milliseconds(first[1].of(cpu))},
		},
		Claims: []claim{
			{What: "emit with pid / without, where owners change at each gather, CPU", Value: on.ratio(off, cpu), Bound: 1.3},
			{What: "gathers lost there", Value: float64(lost), Bound: 0},
			{What: "rows with their pid there / rows", Value: float64(right) / float64(rows), Least: true, Bound: 0.95},
			{What: "rows with their pid in `emit --once`", Value: first[0].of(tcp), Least: true, Bound: 1},
			{What: "`emit --once` with pid / without, CPU", Value: first[0].ratio(first[1], cpu), Bound: 2},
		},
	}}, nil
}

// world is the processes around an emit that is measured.
type world struct {
	processes []*exec.Cmd
	stdins    []io.Closer
	caller    int // its process
	dir       string
	configs   map[string]string // paths, by the value of pid
}

// worldMarker is the environment variable that makes this program a process of
// the world; its value is its role, as JSON.
const worldMarker = "L4STAT_PERF_WORLD"

type role struct {
	FDs    int    // to hold
	Bound  bool   // they are in the kernel's tables, so that a dump has them
	Listen string // an address to accept connections at
	Call   string // an address to keep calling
}

func newWorld(ctx context.Context) (*world, error) {
	dir, err := os.MkdirTemp("", "l4stat-perf")
	if err != nil {
		return nil, err
	}
	w := &world{dir: dir, configs: map[string]string{}}
	for _, pid := range []string{"true", "false"} {
		w.configs[pid] = filepath.Join(dir, pid+".conf")
		text := fmt.Sprintf("[[inputs.netstat]]\npid = %s\n[[inputs.netstat.addr_ports]]\nside = \"remote\"\nports = [\"%d\"]\n", pid, calledPort)
		if err := os.WriteFile(w.configs[pid], []byte(text), 0o644); err != nil {
			return nil, errors.Join(err, w.close())
		}
	}
	address := fmt.Sprint("127.0.0.1:", calledPort)
	roles := []role{{Listen: address}}
	for range bystanders {
		roles = append(roles, role{FDs: bystanderFDs})
	}
	for _, r := range append(roles, role{FDs: callerFDs, Bound: true, Call: address}) {
		if err := w.start(ctx, r); err != nil {
			return nil, errors.Join(err, w.close())
		}
	}
	w.caller = w.processes[len(w.processes)-1].Process.Pid
	return w, nil
}

func (w *world) start(ctx context.Context, r role) error {
	text, err := json.Marshal(r)
	if err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, "/proc/self/exe")
	cmd.Env = append(os.Environ(), worldMarker+"="+string(text))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	w.processes, w.stdins = append(w.processes, cmd), append(w.stdins, in)
	if _, err := fmt.Fscanln(out, new(string)); err != nil {
		return fmt.Errorf("process %+v did not get ready: %w", r, err)
	}
	return nil
}

func (w *world) close() (err error) {
	for i, p := range slices.Backward(w.processes) { // whoever calls before whom they call
		err = errors.Join(err, w.stdins[i].Close(), p.Wait())
	}
	return errors.Join(err, os.RemoveAll(w.dir))
}

// inhabit is what a process of the world does, until its standard input ends.
func inhabit(text string) error {
	var r role
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return err
	}
	if r.Listen != "" {
		l, err := net.Listen("tcp", r.Listen)
		if err != nil {
			return err
		}
		defer l.Close()
		go acceptAll(l)
	}
	for range r.FDs {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err == nil && r.Bound {
			err = unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
		}
		if err != nil {
			return fmt.Errorf("make a UDP socket: %w", err)
		}
	}
	failed := make(chan error, calls)
	if r.Call != "" {
		for i := range calls {
			go func() {
				time.Sleep(callLife * time.Duration(i) / calls) // so that they do not all end at once
				failed <- call(r.Call)
			}()
		}
	}
	fmt.Println("ready")
	ended := make(chan error, 1)
	go func() {
		_, err := io.Copy(io.Discard, os.Stdin)
		ended <- err
	}()
	select {
	case err := <-failed:
		return err
	case err := <-ended:
		return err
	}
}

func acceptAll(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(io.Discard, conn) // until the caller resets it
			_ = conn.Close()
		}()
	}
}

// call makes one connection after the other.
func call(address string) error {
	for {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			return err
		}
		time.Sleep(callLife)
		// By a reset, which leaves no TIME_WAIT.
		if err := errors.Join(conn.(*net.TCPConn).SetLinger(0), conn.Close()); err != nil {
			return err
		}
	}
}

// emitted is what one run of emit did.
type emitted struct {
	sample
	rows, right, lost int
}

// emitBoth runs emit with and without pid, at the same time.
func (w *world) emitBoth(ctx context.Context, program string) (with, without emitted, err error) {
	done := make(chan error, 1)
	go func() {
		var err error
		without, err = w.emit(ctx, program, "false")
		done <- err
	}()
	with, err = w.emit(ctx, program, "true")
	return with, without, errors.Join(err, <-done)
}

func (w *world) emit(ctx context.Context, program, pid string) (e emitted, err error) {
	cmd := exec.CommandContext(ctx, program, "emit", "--interval", ownersEvery.String(), "--config", w.configs[pid])
	var out, diag strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &diag
	if err := cmd.Start(); err != nil {
		return e, err
	}
	select {
	case <-time.After(ownersFor + ownersEvery/2):
	case <-ctx.Done():
	}
	if err := errors.Join(cmd.Process.Signal(unix.SIGTERM), cmd.Wait()); err != nil {
		return e, err
	}
	if diag.Len() > 0 {
		return e, fmt.Errorf("l4stat emit said: %s", diag.String())
	}
	e.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	gathers := map[time.Time]bool{}
	for line := range strings.Lines(out.String()) {
		r, err := parseRow(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return e, err
		}
		gathers[r.time] = true
		if r.measurement != "netstat_port" || r.version != "4" || r.fields["tcp_established"] == 0 {
			continue
		}
		e.rows++
		switch r.fields["pid"] {
		case w.caller:
			e.right++
		case 0:
		default:
			return e, fmt.Errorf("the pid is %d, want %d", r.fields["pid"], w.caller)
		}
	}
	e.lost = max(0, int(ownersFor/ownersEvery)-len(gathers))
	return e, nil
}

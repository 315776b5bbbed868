package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// emit is a running l4stat emit.
type emit struct {
	cmd   *exec.Cmd
	lines *bufio.Scanner
	diag  strings.Builder
	dir   string
}

// startBusyEmit starts l4stat emit with the busy groups.
func startBusyEmit(ctx context.Context, program string, interval time.Duration) (*emit, error) {
	var b strings.Builder
	for _, g := range busyGroups() {
		fmt.Fprintf(&b, "[[inputs.netstat.addr_ports]]\nports = [\"%s\"]\n", strings.Join(g.Ports, `", "`))
	}
	return startEmit(ctx, program, interval, b.String())
}

// startEmit starts l4stat emit with groups as in a configuration file.
func startEmit(ctx context.Context, program string, interval time.Duration, groups string) (*emit, error) {
	dir, err := os.MkdirTemp("", "l4stat-perf")
	if err != nil {
		return nil, err
	}
	config := filepath.Join(dir, "netstat.conf")
	if err := os.WriteFile(config, []byte("[[inputs.netstat]]\n"+groups), 0o644); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	e := &emit{cmd: exec.CommandContext(ctx, program, "emit", "--config", config, "--interval", interval.String()), dir: dir}
	e.cmd.Stderr = &e.diag
	out, err := e.cmd.StdoutPipe()
	if err == nil {
		err = e.cmd.Start()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start %s: %w", program, err), os.RemoveAll(dir))
	}
	e.lines = bufio.NewScanner(out)
	return e, nil
}

// end ends it as a service manager does. It fails if there was anything to say.
func (e *emit) end() error {
	err := e.cmd.Process.Signal(unix.SIGTERM)
	for e.lines.Scan() { // what it had not written yet
	}
	if waitErr := e.cmd.Wait(); waitErr != nil {
		err = errors.Join(err, fmt.Errorf("l4stat emit: %w", waitErr))
	}
	if e.diag.Len() > 0 {
		err = errors.Join(err, fmt.Errorf("l4stat emit said: %s", e.diag.String()))
	}
	return errors.Join(err, os.RemoveAll(e.dir))
}

// procStatus gives a field of /proc/PID/status that is in kB, as bytes.
func procStatus(pid int, key string) (int64, error) {
	path := fmt.Sprintf("/proc/%d/status", pid)
	text, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, key+":"); ok {
			var kB int64
			if _, err := fmt.Sscan(value, &kB); err != nil {
				return 0, fmt.Errorf("%s: %s: %w", path, key, err)
			}
			return kB << 10, nil
		}
	}
	return 0, fmt.Errorf("%s has no %s", path, key)
}

// row is a line that emit wrote.
type row struct {
	measurement, version, addrPort string

	fields map[string]int
	time   time.Time
}

// parseRow reads a line such as "netstat,host=NAME,ip_version=4 tcp_close=0i,... TIME",
// with only those tags that emit writes here, none of which needs escapes.
func parseRow(line string) (r row, err error) {
	series, rest, _ := strings.Cut(line, " ")
	values, stamp, _ := strings.Cut(rest, " ")
	ns, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return row{}, fmt.Errorf("line %q: %w", line, err)
	}
	r.time = time.Unix(0, ns)
	r.measurement, series, _ = strings.Cut(series, ",")
	for tag := range strings.SplitSeq(series, ",") {
		switch key, value, _ := strings.Cut(tag, "="); key {
		case "ip_version":
			r.version = value
		case "addr_port":
			r.addrPort = value
		}
	}
	r.fields = map[string]int{}
	for field := range strings.SplitSeq(values, ",") {
		key, value, _ := strings.Cut(field, "=")
		if r.fields[key], err = strconv.Atoi(strings.TrimSuffix(value, "i")); err != nil {
			return row{}, fmt.Errorf("line %q: %w", line, err)
		}
	}
	return r, nil
}

// next waits for the next line.
func (e *emit) next() (row, error) {
	if !e.lines.Scan() {
		return row{}, errors.Join(errors.New("l4stat emit ended"), e.lines.Err())
	}
	return parseRow(e.lines.Text())
}

// gatherRows are the rows of one gather.
type gatherRows struct {
	rows     []row
	received time.Time // when the first of them was, which is after the gather ended
}

// gather collects the rows of the next gather. As it is complete only when the one
// after it begins, it gives that one's first row, to be handed in the next time.
func (e *emit) gather(first *row) (g gatherRows, next *row, err error) {
	g.received = time.Now()
	if first != nil {
		g.rows = append(g.rows, *first)
	}
	for {
		row, err := e.next()
		if err != nil {
			return g, nil, err
		}
		if len(g.rows) == 0 {
			g.received = time.Now()
		} else if !row.time.Equal(g.rows[0].time) {
			return g, &row, nil
		}
		g.rows = append(g.rows, row)
	}
}

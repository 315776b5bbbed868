package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
)

// connsFields are what conns reports in the comparison: with the addresses, most
// of what ss -ti prints.
const connsFields = "laddr,lport,raddr,rport,state,inbytes,insegs,outbytes,outsegs,suna,unsent,swnd,cwnd,rwnd,mss,rto,rtt,rttvar,retransbytes,retranssegs"

const (
	connsPort = 7000
	connsOn   = 10 // connections of that port
)

// measureConns measures l4stat conns beside ss -ti.
func measureConns(ctx context.Context, s settings) (_ []section, err error) {
	c, err := newCrowd()
	if err != nil {
		return nil, err
	}
	defer c.load.Close()
	closeAll, err := connectFew()
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, closeAll()) }()

	all := []string{"-P", "-o", connsFields}
	worst := append(all[:3:3], "--sort", "rtt", "--top", "10")
	const small = 1000
	if err := c.load.Hold(ctx, small); err != nil {
		return nil, err
	}
	few, err := peakMemory(ctx, s.Program, all)
	if err != nil {
		return nil, err
	}
	if err := c.load.Hold(ctx, s.Sockets); err != nil {
		return nil, err
	}
	many, err := peakMemory(ctx, s.Program, all)
	if err != nil {
		return nil, err
	}
	top, err := peakMemory(ctx, s.Program, worst)
	if err != nil {
		return nil, err
	}
	conns := func(name string, args ...string) subject {
		return lister(name, s.Program, append([]string{"conns"}, args...)...)
	}
	subjects := []subject{
		lister("`ss -Htin`", "ss", "-Htin"),
		conns("`l4stat conns -P -o …`, 20 fields", all...),
		conns(fmt.Sprintf("`l4stat conns -F lport=%d`, %d connections", connsPort, connsOn), "-P", "-F", fmt.Sprint("state=established,lport=", connsPort), "-o", connsFields),
		conns("`l4stat conns --sort rtt --top 10`", worst...),
		conns("`l4stat conns -P -o pid,…`", append(all[:2:2], "pid,process,"+connsFields)...),
	}
	results, err := compare(ctx, subjects, s.Rounds, func() error { return nil })
	if err != nil {
		return nil, err
	}
	sec := section{
		Title: "Connections one by one",
		Text: fmt.Sprintf("%s sockets of %d processes, none in TIME_WAIT. Each is a program that is started, lists and ends; medians of %d rounds. ss leaves listeners out, and writes two lines for each. The peak resident memory (VmHWM) of l4stat is %s, at %s sockets %s.",
			thousands(c.size()), len(c.load.PIDs()), s.Rounds, size(many), thousands(small), size(few)),
		Header: []string{"", "wall", "CPU", "wall / ss", "CPU / ss", "lines"},
	}
	for i, subject := range subjects {
		r := results[i]
		sec.Rows = append(sec.Rows, []string{subject.name, milliseconds(r.of(wall)), milliseconds(r.of(cpu)),
			figure(r.ratio(results[0], wall)), figure(r.ratio(results[0], cpu)), thousands(int(r.of(tcp)))})
	}
	if n := int(results[2].of(tcp)); n != connsOn {
		return nil, fmt.Errorf("port %d has %d connections, want %d", connsPort, n, connsOn)
	}
	sec.Claims = []claim{
		{What: "`l4stat conns -P -o …` over all / `ss -Htin`, wall", Value: results[1].ratio(results[0], wall), Bound: 1},
		{What: fmt.Sprintf("`l4stat conns -F lport=…`, %d connections / `ss -Htin` over all, wall", connsOn), Value: results[2].ratio(results[0], wall), Bound: 0.5},
		{What: fmt.Sprintf("peak resident memory of `l4stat conns` at %s sockets / at %s", thousands(s.Sockets), thousands(small)), Value: many / few, Bound: 1.25},
		{What: "the same with `--top 10`", Value: top / few, Bound: 1.25},
	}
	return []section{sec}, nil
}

// peakMemory runs l4stat conns at an interval and gives its peak resident memory,
// in bytes, when the second report begins.
func peakMemory(ctx context.Context, program string, args []string) (peak float64, err error) {
	cmd := exec.CommandContext(ctx, program, append([]string{"conns", "-T", "u", "-i", "0.1"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	lines := bufio.NewScanner(out)
	for reports := 0; reports < 2 && lines.Scan(); {
		if !strings.Contains(lines.Text(), ",") { // the time
			reports++
		}
	}
	bytes, err := procStatus(cmd.Process.Pid, "VmHWM")
	return float64(bytes), errors.Join(err, lines.Err(), out.Close(), cmd.Wait())
}

// connectFew makes connections over loopback to a port that nothing else has.
func connectFew() (closeAll func() error, err error) {
	l, err := net.Listen("tcp4", fmt.Sprint("127.0.0.1:", connsPort))
	if err != nil {
		return nil, err
	}
	open := []interface{ Close() error }{l}
	closeAll = func() error {
		var errs error
		for _, o := range open {
			errs = errors.Join(errs, o.Close())
		}
		return errs
	}
	for range connsOn {
		here, err := net.Dial("tcp4", l.Addr().String())
		if err != nil {
			return nil, errors.Join(err, closeAll())
		}
		open = append(open, here)
		there, err := l.Accept()
		if err != nil {
			return nil, errors.Join(err, closeAll())
		}
		open = append(open, there)
	}
	return closeAll, nil
}

//go:build linux

package load

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// marker is the environment variable that makes the program a process that
// holds sockets; its value is the plan.
const marker = "L4STAT_LOAD"

// Main reports whether the program was started to hold sockets, which it then
// has done: there is nothing left to do but to return.
func Main() bool {
	text := os.Getenv(marker)
	if text == "" {
		return false
	}
	var w worker
	err := json.Unmarshal([]byte(text), &w.plan)
	if err == nil {
		err = w.run(os.Stdin, os.Stdout)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "load: process %d: %v\n", w.Index, err)
		os.Exit(1)
	}
	return true
}

// worker makes the sockets of a plan. It does with plain system calls, without
// the memory and the epoll that package net has for each.
type worker struct {
	plan
	v4, v6 []listener
	turn   int
}

type listener struct {
	fd   int
	addr unix.Sockaddr
}

// run writes "ready" when all is made, then answers commands from in, each a
// number of TIME_WAITs to make, until in ends, which it also does when the
// parent does.
func (w *worker) run(in io.Reader, out io.Writer) error {
	if err := w.hold(); err != nil {
		return err
	}
	if _, err := fmt.Fprintln(out, "ready"); err != nil {
		return err
	}
	if w.Churn {
		ended := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, in)
			ended <- err
		}()
		n, err := w.churn(ended)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintln(out, n)
		return err
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		n, err := strconv.Atoi(lines.Text())
		if err != nil {
			return err
		}
		for i := range n {
			if err := w.timeWait(ipv6(i)); err != nil {
				return fmt.Errorf("make TIME_WAIT %d of %d: %w", i+1, n, err)
			}
		}
		if _, err := fmt.Fprintln(out, n); err != nil {
			return err
		}
	}
	return lines.Err()
}

func (w *worker) hold() error {
	last := len(w.Ports) - 1
	for i, port := range w.Ports {
		l, err := listen(netip.AddrPortFrom(address(w.Index, i == last), port))
		if err != nil {
			return err
		}
		if i == last {
			w.v6 = append(w.v6, l)
		} else {
			w.v4 = append(w.v4, l)
		}
	}
	if err := w.reach(); err != nil {
		return err
	}
	if w.Churn {
		return nil
	}
	for i := range w.udp() {
		if _, _, err := bind(unix.SOCK_DGRAM, netip.AddrPortFrom(address(w.Index, false), w.Ports[i])); err != nil {
			return err
		}
	}
	var halves []int
	for i := range w.connections() {
		here, there, err := w.connect(ipv6(i))
		if err != nil {
			return fmt.Errorf("make connection %d of %d: %w", i+1, w.connections(), err)
		}
		if halfClosed(i) {
			if err := unix.Shutdown(here, unix.SHUT_WR); err != nil {
				return fmt.Errorf("shutdown: %w", err)
			}
			halves = append(halves, here, there)
		}
	}
	return settle(halves)
}

// patience is how long to wait for what the kernel does at once, unless the
// machine is very busy.
const patience = 30 * time.Second

// reach waits until connections over IPv6 succeed: the kernel makes an address
// usable some time after it was added (net/ipv6/addrconf.c, addrconf_dad_work).
func (w *worker) reach() error {
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		here, there, err := w.connect(true)
		if err == nil {
			return closeBoth(&[2]int{here, there}, false)
		}
		if time.Now().After(end) {
			return fmt.Errorf("waited %v in vain: %w", patience, err)
		}
	}
}

// settle waits until the ends of half-closed connections have their last states:
// the peer may take its time to acknowledge.
func settle(fds []int) error {
	end := time.Now().Add(patience)
	for _, fd := range fds {
		for {
			info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
			if err != nil {
				return fmt.Errorf("TCP_INFO: %w", err)
			}
			if info.State == unix.BPF_TCP_FIN_WAIT2 || info.State == unix.BPF_TCP_CLOSE_WAIT {
				break
			}
			if time.Now().After(end) {
				return fmt.Errorf("waited %v in vain for a connection to be half closed", patience)
			}
			time.Sleep(time.Millisecond)
		}
	}
	return nil
}

// connect makes a connection to one of the listeners in turn.
func (w *worker) connect(ipv6 bool) (here, there int, err error) {
	ls := w.v4
	if ipv6 {
		ls = w.v6
	}
	w.turn++
	l := ls[w.turn%len(ls)]
	here, err = unix.Socket(family(ipv6), unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, 0, fmt.Errorf("socket: %w", err)
	}
	if err := unix.Connect(here, l.addr); err != nil {
		return 0, 0, errors.Join(fmt.Errorf("connect: %w", err), unix.Close(here))
	}
	for {
		there, _, err = unix.Accept4(l.fd, unix.SOCK_CLOEXEC)
		if err == nil {
			return here, there, nil
		}
		if !errors.Is(err, unix.EINTR) {
			return 0, 0, errors.Join(fmt.Errorf("accept: %w", err), unix.Close(here))
		}
	}
}

// timeWait leaves one TIME_WAIT behind: the end that closes first has it.
func (w *worker) timeWait(ipv6 bool) error {
	here, there, err := w.connect(ipv6)
	if err != nil {
		return err
	}
	return errors.Join(unix.Close(here), unix.Close(there))
}

// A process that churns keeps so many connections and closes one in so many in
// an orderly way, the rest by a reset: were all to leave a TIME_WAIT, the ports
// would be used up in a second.
const (
	churned      = 1000
	everyOrderly = 64
)

// churn opens connections as fast as it can and closes those it opened before,
// until ended, when it closes all. It gives how many it opened.
func (w *worker) churn(ended <-chan error) (n int, err error) {
	var open [churned][2]int
	for ; ; n++ {
		c := &open[n%churned]
		if n >= churned {
			if err := closeBoth(c, n%everyOrderly == 0); err != nil {
				return n, err
			}
		}
		select {
		case err := <-ended:
			for i := max(0, n-churned+1); i < n; i++ {
				err = errors.Join(err, closeBoth(&open[i%churned], false))
			}
			return n, err
		default:
		}
		if c[0], c[1], err = w.connect(ipv6(n)); err != nil {
			return n, err
		}
	}
}

// closeBoth closes both ends of a connection, which leaves nothing behind unless
// it is done in an orderly way.
func closeBoth(c *[2]int, orderly bool) error {
	for _, fd := range c {
		if !orderly {
			abort := unix.Linger{Onoff: 1, Linger: 0}
			if err := unix.SetsockoptLinger(fd, unix.SOL_SOCKET, unix.SO_LINGER, &abort); err != nil {
				return fmt.Errorf("SO_LINGER: %w", err)
			}
		}
		if err := unix.Close(fd); err != nil {
			return fmt.Errorf("close: %w", err)
		}
	}
	return nil
}

func listen(addr netip.AddrPort) (listener, error) {
	fd, sa, err := bind(unix.SOCK_STREAM, addr)
	if err != nil {
		return listener{}, err
	}
	if err := unix.Listen(fd, unix.SOMAXCONN); err != nil {
		return listener{}, fmt.Errorf("listen on %v: %w", addr, err)
	}
	return listener{fd, sa}, nil
}

func bind(kind int, addr netip.AddrPort) (fd int, sa unix.Sockaddr, err error) {
	if addr.Addr().Is4() {
		sa = &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	} else {
		sa = &unix.SockaddrInet6{Port: int(addr.Port()), Addr: addr.Addr().As16()}
	}
	fd, err = unix.Socket(family(addr.Addr().Is6()), kind|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, nil, fmt.Errorf("socket: %w", err)
	}
	if err := unix.Bind(fd, sa); err != nil {
		return 0, nil, fmt.Errorf("bind to %v: %w", addr, err)
	}
	return fd, sa, nil
}

func family(ipv6 bool) int {
	if ipv6 {
		return unix.AF_INET6
	}
	return unix.AF_INET
}

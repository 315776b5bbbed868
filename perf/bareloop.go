package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// bareLoop is the least that a program can do with sock_diag in the usual way: it
// dumps the four tables and counts states, with nothing decoded, checked or
// grouped. It is what the others are measured by.
var bareLoop = subject{"bare dump-and-count loop", func(context.Context) (func() (int, error), error) {
	l, err := newDumpLoop()
	return func() (int, error) {
		return l.count(dumpRequest(unix.AF_INET, unix.IPPROTO_TCP), dumpRequest(unix.AF_INET6, unix.IPPROTO_TCP))
	}, err
}}

// bareLoopOnce asks for both tables of TCP at once, as l4stat does.
var bareLoopOnce = subject{"the same, both TCP tables in one dump", func(context.Context) (func() (int, error), error) {
	l, err := newDumpLoop()
	return func() (int, error) { return l.count(tcpRequest()) }, err
}}

type dumpLoop struct {
	fd     int
	buf    []byte
	states [16]int // by idiag_state
}

func newDumpLoop() (*dumpLoop, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_SOCK_DIAG)
	if err != nil {
		return nil, fmt.Errorf("bare loop: socket: %w", err)
	}
	return &dumpLoop{fd: fd, buf: make([]byte, 32<<10)}, nil
}

// count does the dumps of TCP sockets, which it counts, and those of UDP.
func (l *dumpLoop) count(tcp ...[]byte) (int, error) {
	l.states = [16]int{}
	for _, req := range tcp {
		if err := l.dump(req); err != nil {
			return 0, err
		}
	}
	sum := 0
	for _, n := range l.states {
		sum += n
	}
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		if err := l.dump(dumpRequest(family, unix.IPPROTO_UDP)); err != nil {
			return 0, err
		}
	}
	return sum, nil
}

// From linux/inet_diag.h and linux/sock_diag.h.
const (
	tcpdiagGetsock   = 18        // TCPDIAG_GETSOCK
	sockDiagByFamily = 20        // SOCK_DIAG_BY_FAMILY
	allStates        = 1<<13 - 2 // those that tables show
)

// dumpRequest is a struct nlmsghdr and a struct inet_diag_req_v2.
func dumpRequest(family, protocol byte) []byte {
	req := header(sockDiagByFamily, 56)
	req[16], req[17] = family, protocol
	binary.NativeEndian.PutUint32(req[20:], allStates)
	return req
}

// tcpRequest is a struct nlmsghdr and a struct inet_diag_req.
func tcpRequest() []byte {
	req := header(tcpdiagGetsock, 60)
	binary.NativeEndian.PutUint32(req[16+52:], allStates)
	return req
}

func header(kind uint16, payload int) []byte {
	req := make([]byte, unix.NLMSG_HDRLEN+payload)
	binary.NativeEndian.PutUint32(req, uint32(len(req)))
	binary.NativeEndian.PutUint16(req[4:], kind)
	binary.NativeEndian.PutUint16(req[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	return req
}

func (l *dumpLoop) dump(req []byte) error {
	if _, err := unix.Write(l.fd, req); err != nil {
		return fmt.Errorf("bare loop: request: %w", err)
	}
	for {
		n, err := unix.Read(l.fd, l.buf)
		if err != nil {
			return fmt.Errorf("bare loop: read: %w", err)
		}
		for b := l.buf[:n]; len(b) >= unix.NLMSG_HDRLEN; {
			switch binary.NativeEndian.Uint16(b[4:]) {
			case unix.NLMSG_DONE:
				return nil
			case unix.NLMSG_ERROR:
				return errors.New("bare loop: the kernel refuses a dump")
			}
			l.states[b[17]&15]++ // idiag_state of struct inet_diag_msg
			b = b[(binary.NativeEndian.Uint32(b)+3)&^3:]
		}
	}
}

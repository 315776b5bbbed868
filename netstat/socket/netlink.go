package socket

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"syscall"
	"time"
)

// Conn is a datagram connection to the kernel's NETLINK_SOCK_DIAG, or to what
// stands in for it in a test: one Write is one request, one Read one datagram
// of the answer.
type Conn interface {
	io.ReadWriteCloser
	SetReadDeadline(t time.Time) error
}

// netlinkBuf holds any datagram of a dump: the kernel makes them as large as
// the reader's buffer and at most 32 KiB (net/netlink/af_netlink.c,
// netlink_recvmsg). The larger, the fewer system calls.
const netlinkBuf = 64 << 10

// netlink reads the tables over one connection that stays open.
type netlink struct {
	dial     func() (Conn, error)
	conn     Conn // nil until the first use, and after a dump that was given up
	noFilter bool // the kernel refused to filter by port
	seq      uint32
	buf      []byte
	req      []byte
	sock     Socket // what fn is given; here, since what fn is given escapes
	details  Details
}

// NewNetlink makes a source that dumps the kernel's tables over a connection
// from dial. [Open] with [Netlink] does the same with a connection to this
// network namespace; this one is for tests, and for a connection made in
// another namespace.
func NewNetlink(dial func() (Conn, error)) Source { return &netlink{dial: dial} }

func (n *netlink) Each(ctx context.Context, q Query, fn func(*Socket) error) error {
	return eachTable(ctx, q, fn, dumps, n.each)
}

// tcpTables are what one dump can have together.
var tcpTables = []Table{TCP4, TCP6}

// dumps cuts tables into dumps. The kernel keeps the TCP sockets of both IP
// versions in one hash table, which it walks as often as it is asked. To walk it
// once for both saves a tenth where there are many sockets, and half where
// there are few.
func dumps(tables []Table) iter.Seq[[]Table] {
	return func(yield func([]Table) bool) {
		both := slices.Contains(tables, TCP4) && slices.Contains(tables, TCP6)
		done := false
		for i, t := range tables {
			dump := tables[i : i+1]
			if both && t.Protocol() == TCP {
				if done {
					continue
				}
				dump, done = tcpTables, true
			}
			if !yield(dump) {
				return
			}
		}
	}
}

// each does one dump. After a dump that ended early the connection is
// closed: the kernel may be in the middle of its answer, and would refuse the
// next request until that is read.
func (n *netlink) each(ctx context.Context, tables []Table, q Query, fn func(*Socket) error) error {
	if n.conn == nil {
		conn, err := n.dial()
		if err != nil {
			return fmt.Errorf("open NETLINK_SOCK_DIAG: %w", err)
		}
		n.conn = conn
	}
	conn := n.conn
	release := context.AfterFunc(ctx, func() {
		// Wakes a Read that waits. Should it fail, the Read still ends when
		// the kernel has answered, which it does without waiting for anyone.
		_ = conn.SetReadDeadline(time.Unix(1, 0))
	})
	err := n.eachFiltered(tables, q, fn)
	if !release() {
		err = errors.Join(context.Cause(ctx), callerError(err)) // not the time-out that it caused
	}
	if err != nil {
		err = errors.Join(err, n.Close())
	}
	return err
}

// eachFiltered does one dump, and has the kernel filter by port if it will. A
// kernel that answers a filter with EINVAL may well dump without: that is tried
// once, and remembered if it works. It costs the messages that the filter would
// save, but no table is lost to netlink, and eachTable filters too.
func (n *netlink) eachFiltered(tables []Table, q Query, fn func(*Socket) error) error {
	all := q
	all.LocalPorts, all.RemotePorts = PortRange{}, PortRange{}
	if n.noFilter || q.allPorts() {
		return n.dump(tables, all, fn)
	}
	began := false
	err := n.dump(tables, q, func(s *Socket) error {
		began = true
		return fn(s)
	})
	if began || !errors.Is(err, syscall.EINVAL) {
		return err
	}
	err = n.dump(tables, all, fn)
	n.noFilter = err == nil
	return err
}

// dump sends a request and reads the answer.
func (n *netlink) dump(tables []Table, q Query, fn func(*Socket) error) error {
	if n.buf == nil {
		n.buf = make([]byte, netlinkBuf)
	}
	n.seq++
	n.req = appendDiagRequest(n.req[:0], n.seq, tables, q)
	if _, err := n.conn.Write(n.req); err != nil {
		return fmt.Errorf("request a sock_diag dump: %w", err)
	}
	n.sock.Details = nil
	if q.Details != 0 && tables[0].Protocol() == TCP {
		n.sock.Details = &n.details
	}
	for {
		size, err := n.conn.Read(n.buf)
		if err == nil && size == len(n.buf) {
			err = errTruncated
		}
		done := false
		if err == nil {
			done, err = decodeDiag(n.buf[:size], n.seq, tables[0].Protocol(), &n.sock, fn)
		}
		if err != nil {
			return fmt.Errorf("read the sock_diag dump: %w", err)
		}
		if done {
			return nil
		}
	}
}

func (n *netlink) Close() error {
	if n.conn == nil {
		return nil
	}
	err := n.conn.Close()
	n.conn = nil
	return err
}

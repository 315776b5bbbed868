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

// netlinkBuf holds any datagram of a dump, of which kernel.DatagramLimit is the
// largest. The larger, the fewer system calls.
const netlinkBuf = 64 << 10

// netlink reads the tables over one connection that stays open.
type netlink struct {
	dial       func() (Conn, error)
	conn       Conn // nil until the first use, and after a dump that was given up
	noFilter   bool // the kernel refused to filter by port
	seq        uint32
	buf        []byte
	req        []byte
	sock       Socket // what fn is given; here, since what fn is given escapes
	details    Details
	listings   [len(tables)]listings // both tables of TCP at TCP4 where they are one dump
	long       bool                  // the last listing of TCP was one of long chains
	ports      []ports               // of the TCP sockets in listings, in its order
	buckets    func() int            // of the hash table of TCP connections; nil or 0 if not known
	incomplete incomplete
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

// each does what one dump is for. After a dump that ended early the connection is
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
	err := n.eachOnce(tables, q, fn)
	if !release() {
		err = errors.Join(context.Cause(ctx), callerError(err)) // not the time-out that it caused
	}
	if err != nil {
		err = errors.Join(err, n.Close())
	}
	return err
}

// eachOnce calls fn once for each socket, however often the kernel repeats it.
func (n *netlink) eachOnce(tables []Table, q Query, fn func(*Socket) error) error {
	l := &n.listings[tables[0]]
	var complete bool
	var err error
	if tables[0].Protocol() == TCP {
		complete, err = n.eachTCP(l, tables, q, fn)
	} else {
		l.now.plain, l.now.back = nearby, nearby
		complete, err = l.each(q, func(nth int, begin func(), each func(*Socket, uint64) error) (bool, error) {
			return n.filtered(dump{tables, q, nth, begin, each})
		}, fn)
	}
	if err == nil && !complete {
		n.incomplete.say(tables[0], len(l.now.ids))
	}
	return err
}

// dump is what one request asks for, and what its answer is given to.
type dump struct {
	tables []Table
	Query
	nth   int    // 0 for the first of a table; see appendDiagRequest
	begin func() // called for each datagram
	each  func(s *Socket, cookie uint64) error
}

// filtered does one dump, and has the kernel filter by port if it will. A
// kernel that answers a filter with EINVAL may well dump without: that is tried
// once, and remembered if it works. It costs the messages that the filter would
// save, but no table is lost to netlink, and eachTable filters too.
func (n *netlink) filtered(d dump) (full bool, err error) {
	all := d
	all.LocalPorts, all.RemotePorts = PortRange{}, PortRange{}
	if n.noFilter || d.allPorts() {
		return n.dump(all)
	}
	began := false
	d.each = func(s *Socket, cookie uint64) error {
		began = true
		return all.each(s, cookie)
	}
	full, err = n.dump(d)
	if began || !errors.Is(err, syscall.EINVAL) {
		return full, err
	}
	full, err = n.dump(all)
	n.noFilter = err == nil
	return full, err
}

// dump sends a request and reads the answer. full reports whether the last
// datagram with sockets may have had no room for another.
func (n *netlink) dump(d dump) (full bool, err error) {
	if n.buf == nil {
		n.buf = make([]byte, netlinkBuf)
	}
	n.seq++
	n.req = appendDiagRequest(n.req[:0], n.seq, d.tables, d.Query, d.nth)
	if _, err := n.conn.Write(n.req); err != nil {
		return false, fmt.Errorf("request a sock_diag dump: %w", err)
	}
	protocol := d.tables[0].Protocol()
	n.sock.Details = nil
	if d.Details != 0 && protocol == TCP {
		n.sock.Details = &n.details
	}
	for {
		size, err := n.conn.Read(n.buf)
		if err == nil && size == len(n.buf) {
			err = errTruncated
		}
		done := false
		if err == nil {
			if size > diagMsgLen { // there is more than the end
				d.begin()
			}
			done, err = decodeDiag(n.buf[:size], n.seq, protocol, &n.sock, d.each)
		}
		if err != nil {
			return false, fmt.Errorf("read the sock_diag dump: %w", err)
		}
		if done {
			return full && size < diagMsgLen, nil // or the end would not have fitted either
		}
		full = mayBeFull(size)
	}
}

// mayBeFull reports whether a datagram of that size may lack room for one more
// socket, of at most 200 bytes. The kernel makes them of 32 KiB less the overhead,
// and, the first of a connection and where memory is short, of a page or 8 KiB
// less that (NLMSG_GOODSIZE).
func mayBeFull(size int) bool {
	const socket, overhead = 200, 512
	for _, room := range []int{4 << 10, 8 << 10} {
		if room-overhead-socket < size && size <= room {
			return true
		}
	}
	return size > 32<<10-overhead-socket
}

func (n *netlink) Close() error {
	if n.conn == nil {
		return nil
	}
	err := n.conn.Close()
	n.conn = nil
	return err
}

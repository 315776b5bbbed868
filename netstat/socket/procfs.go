package socket

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
)

// procfs reads /proc/net/{tcp,tcp6,udp,udp6}, which the kernel formats in
// net/ipv4/tcp_ipv4.c (tcp4_seq_show) and its relatives.
type procfs struct {
	root string
	seen seen
}

func newProcfs(root string) *procfs { return &procfs{root: root} }

func (*procfs) Close() error { return nil }

func (p *procfs) Each(ctx context.Context, q Query, fn func(*Socket) error) error {
	return eachTable(ctx, q, fn, oneByOne, single(p.each))
}

// each reads one table. A kernel without IPv6 has no files for it, which is no
// error: it has no such sockets either.
func (p *procfs) each(ctx context.Context, t Table, _ Query, fn func(*Socket) error) error {
	dir := netDir(p.root)
	f, err := os.Open(filepath.Join(dir, t.String()))
	if err != nil {
		if _, dirErr := os.Stat(dir); t.IPv6() && errors.Is(err, fs.ErrNotExist) && dirErr == nil {
			return nil
		}
		return err // names the file
	}
	defer f.Close()

	p.seen.reset()
	err = parseProcNet(ctx, f, t, func(s *Socket) error {
		if p.seen.before(s) {
			return nil
		}
		return fn(s)
	})
	if err != nil {
		return fmt.Errorf("read %s: %w", f.Name(), err)
	}
	return nil
}

// netDir returns where the tables are: net, or where procfs is mounted with
// subset=pid, which lacks that, the net of this process, which is the same.
func netDir(root string) string {
	dir := filepath.Join(root, "net")
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return filepath.Join(root, "self", "net")
	}
	return dir
}

// seen tells the rows that the kernel repeats. It hands out a table a page at a
// time and finds its place again by counting within a hash bucket, so that a
// socket added to the bucket between two reads shows the one before it twice.
type seen struct {
	inodes map[uint64]struct{}
	tuples map[[2]netip.AddrPort]struct{} // of sockets without an inode
}

func (s *seen) reset() {
	if s.inodes == nil {
		s.inodes = make(map[uint64]struct{})
		s.tuples = make(map[[2]netip.AddrPort]struct{})
	}
	clear(s.inodes)
	clear(s.tuples)
}

// before reports whether the socket was there already, and notes it.
func (s *seen) before(sock *Socket) bool {
	if sock.Inode != 0 {
		n := len(s.inodes)
		s.inodes[sock.Inode] = struct{}{}
		return len(s.inodes) == n
	}
	if sock.Remote.Port() == 0 {
		return false // several may look the same
	}
	n := len(s.tuples)
	s.tuples[[2]netip.AddrPort{sock.Local, sock.Remote}] = struct{}{}
	return len(s.tuples) == n
}

// procNetBuf is larger than what one read of /proc/net gives, a page.
const procNetBuf = 16 << 10

var errMalformed = errors.New("not a row of a socket table")

// parseProcNet calls fn for each row that r has after the heading. A row that
// it cannot read does not keep it from the rest; the first of them is the
// error.
func parseProcNet(ctx context.Context, r io.Reader, t Table, fn func(*Socket) error) error {
	var (
		in   = bufio.NewReaderSize(r, procNetBuf)
		s    Socket
		skip error // the first row that could not be read
	)
	for n := 0; ; n++ {
		line, err := in.ReadSlice('\n')
		if errors.Is(err, io.EOF) && len(line) == 0 {
			return skip
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if n == 0 {
			continue // the heading
		}
		if n%1024 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := parseProcNetLine(line, t, &s); err != nil {
			if skip == nil {
				skip = fmt.Errorf("line %d: %w", n+1, err)
			}
			continue
		}
		if err := fn(&s); err != nil {
			return stop{err}
		}
	}
}

// parseProcNetLine reads one row. Its columns, by name in the heading and by
// place here:
//
//	0 sl  1 local_address  2 rem_address  3 st  4 tx_queue:rx_queue
//	5 tr:tm->when  6 retrnsmt  7 uid  8 timeout  9 inode
func parseProcNetLine(line []byte, t Table, s *Socket) error {
	const inode = 9
	var cols [inode + 1][]byte
	n := 0
	for col := range bytes.FieldsSeq(line) {
		cols[n] = col
		if n++; n == len(cols) {
			break
		}
	}
	if n < len(cols) {
		return errMalformed
	}
	var err error
	if s.Local, err = parseProcAddr(cols[1], t); err != nil {
		return err
	}
	if s.Remote, err = parseProcAddr(cols[2], t); err != nil {
		return err
	}
	state, err := parseUint(cols[3], 16, 8)
	if err != nil {
		return err
	}
	tx, rx, _ := bytes.Cut(cols[4], []byte{':'})
	send, err := parseUint(tx, 16, 32)
	if err != nil {
		return err
	}
	recv, err := parseUint(rx, 16, 32)
	if err != nil {
		return err
	}
	uid, err := parseUint(cols[7], 10, 32)
	if err != nil {
		return err
	}
	if s.Inode, err = parseUint(cols[inode], 10, 64); err != nil {
		return err
	}
	s.Protocol = t.Protocol()
	s.State = kernelState(uint8(state))
	s.SendQueue, s.RecvQueue, s.UID = uint32(send), uint32(recv), uint32(uid)
	s.PID = 0
	return nil
}

// parseProcAddr reads "0100007F:1F90": the address as the kernel prints its
// 32-bit words, each in the host's byte order, and the port.
func parseProcAddr(col []byte, t Table) (netip.AddrPort, error) {
	words := 1
	if t.IPv6() {
		words = 4
	}
	const word = 8 // hex digits
	if len(col) != words*word+len(":1F90") || col[words*word] != ':' {
		return netip.AddrPort{}, errMalformed
	}
	var raw [16]byte
	if _, err := hex.Decode(raw[:words*4], col[:words*word]); err != nil {
		return netip.AddrPort{}, err
	}
	for i := 0; i < words*4; i += 4 {
		binary.NativeEndian.PutUint32(raw[i:], binary.BigEndian.Uint32(raw[i:]))
	}
	port, err := parseUint(col[words*word+1:], 16, 16)
	if err != nil {
		return netip.AddrPort{}, err
	}
	addr := netip.AddrFrom4([4]byte(raw[:4]))
	if t.IPv6() {
		addr = netip.AddrFrom16(raw).Unmap()
	}
	return netip.AddrPortFrom(addr, uint16(port)), nil
}

func parseUint(b []byte, base, bits int) (uint64, error) {
	return strconv.ParseUint(string(b), base, bits) // short strings: on the stack
}

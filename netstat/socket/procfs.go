package socket

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/maphash"
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
	root       string
	listings   [len(tables)]listings
	incomplete incomplete
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

	l := &p.listings[t]
	l.strict = true
	complete, err := l.each(Query{}, func(nth int, begin func(), each func(*Socket, uint64) error) (bool, error) {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return false, err
		}
		in := &pages{file: f, short: nth * shortPage}
		err := parseProcNet(ctx, in, t, func(s *Socket) error {
			if in.begins() {
				begin()
			}
			return each(s, procID(s))
		})
		return in.full, err
	}, fn)
	if err != nil {
		return fmt.Errorf("read %s: %w", f.Name(), err)
	}
	if !complete {
		p.incomplete.say(t, len(l.now.ids))
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

// pages reads a file of /proc/net as the kernel hands it out: in each call the
// rows that fit in a page (fs/seq_file.c, seq_read_iter), and only whole ones
// unless less is asked for.
type pages struct {
	file  io.Reader
	short int // what the first page is to be cut to, so that all end elsewhere; 0 for not at all
	fresh int // rows until one begins a page; negative if it has
	torn  bool
	full  bool // the last page may have had no room for another row
}

// shortPage is the step by which the first page is made shorter.
const shortPage = 450

func (p *pages) Read(b []byte) (int, error) {
	if p.short > 0 {
		b = b[:min(p.short, len(b))]
		p.short = 0
	}
	n, err := p.file.Read(b)
	if n > 0 {
		p.fresh = 0
		if p.torn { // the rest of a row of the page before comes first
			p.fresh = 1
		}
		p.torn = b[n-1] != '\n'
		p.full = n > os.Getpagesize()-256
	}
	return n, err
}

// begins is called for each row, and reports whether it is the first of a page.
func (p *pages) begins() bool {
	p.fresh--
	return p.fresh == -1
}

// procSeed makes the identities of this process.
var procSeed = maphash.MakeSeed()

// procID gives the identity of a row: the inode, which subflows of MPTCP share,
// and both addresses. A row with neither inode nor peer has none: several look the
// same.
func procID(s *Socket) uint64 {
	if s.Inode == 0 && s.Remote.Port() == 0 {
		return 0
	}
	return maphash.Comparable(procSeed, struct {
		inode         uint64
		local, remote netip.AddrPort
	}{s.Inode, s.Local, s.Remote})
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
			return stopped(err)
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

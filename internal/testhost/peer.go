//go:build linux

package testhost

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"
)

// flow is one TCP connection as the peer at the far end of the TUN device sees it. The peer is a script, not a TCP: it
// sends what the wanted state needs and then falls silent, and whatever the host sends again goes unread.
type flow struct {
	h        *Host
	v        Version
	host     netip.AddrPort
	peer     netip.AddrPort
	seq, ack uint32 // of the next segment that the peer sends
}

// send sends a segment to the host.
func (f *flow) send(flags uint8) {
	f.h.t.Helper()
	s := segment{src: f.peer, dst: f.host, seq: f.seq, ack: f.ack, flags: flags}
	if _, err := f.h.tun.Write(s.marshal()); err != nil {
		f.h.t.Fatalf("peer: send to %v: %v", f.host, err)
	}
	if flags&(syn|fin) != 0 {
		f.seq++
	}
}

// receive reads what the host sends until a segment of this flow has all these flags. Segments of other flows, sent
// again because nobody answers them, are dropped on the way.
func (f *flow) receive(flags uint8) segment {
	f.h.t.Helper()
	if err := f.h.tun.SetReadDeadline(time.Now().Add(patience)); err != nil {
		f.h.t.Fatal(err)
	}
	buf := make([]byte, mtu)
	for {
		n, err := f.h.tun.Read(buf)
		if err != nil {
			f.h.t.Fatalf("peer: no segment with flags %#x from %v to %v: %v", flags, f.host, f.peer, err)
		}
		s, ok := parseSegment(buf[:n])
		if !ok || s.src != f.host || s.dst != f.peer {
			continue
		}
		if s.flags&rst != 0 {
			f.h.t.Fatalf("peer: %v refused %v", f.host, f.peer)
		}
		if s.flags&flags == flags {
			return s
		}
	}
}

// dial opens the connection from the peer's side as far as the host's SYN-ACK.
func (f *flow) dial() {
	f.h.t.Helper()
	f.send(syn)
	f.ack = f.receive(syn|ack).seq + 1
}

// answer receives the host's SYN.
func (f *flow) answer() {
	f.h.t.Helper()
	f.ack = f.receive(syn).seq + 1
}

// end takes the established connection of socket fd to a state, and returns fd, or -1 where it had to be closed.
// shutdown and not close wherever it will do: a socket that nobody holds has a short life.
func (f *flow) end(fd int, state State) int {
	h := f.h
	h.t.Helper()
	shutdown := func() {
		h.t.Helper()
		h.must("shutdown", unix.Shutdown(fd, unix.SHUT_WR))
		f.receive(fin)
	}
	switch state {
	case Established:
	case FinWait1:
		shutdown()
	case FinWait2:
		shutdown()
		f.ack++
		f.send(ack)
	case FinWait2Orphan:
		h.must("close", unix.Close(fd))
		fd = -1
		f.receive(fin)
		f.ack++
		f.send(ack)
	case TimeWait:
		shutdown()
		f.ack++
		f.send(ack)
		f.send(fin | ack)
		f.await(fd, Close) // so says the socket; the tables say TIME_WAIT
		h.must("close", unix.Close(fd))
		fd = -1
	case Closing:
		shutdown()
		f.send(fin | ack) // which does not acknowledge the host's FIN
	case CloseWait:
		f.send(fin | ack)
	case LastAck:
		f.send(fin | ack)
		f.await(fd, CloseWait)
		shutdown()
	default:
		h.t.Fatalf("testhost: no way to state %q from here", state)
	}
	return fd
}

package connstat

import (
	"math"

	"github.com/l4stat/l4stat/netstat/socket"
)

// number gives a field's value of a connection; ok is false where there is none.
type number func(s *socket.Socket) (value uint64, ok bool)

// info gives the tcp_info of a connection. A mini-socket has none, and what the
// kernel gives for a listener is zeros where there is no connection to measure.
func info(s *socket.Socket) *socket.TCPInfo {
	if s.Details == nil || s.State == socket.StateListen || s.State == socket.StateClose {
		return &none
	}
	return &s.Details.Info
}

var none socket.TCPInfo

// mini reports whether the kernel keeps too little of s to have queues or a user.
// /proc does not tell, and has zeros for what such a socket lacks.
func mini(s *socket.Socket) bool {
	if s.Details != nil {
		return s.Details.Mini
	}
	return s.State == socket.StateTimeWait || s.State == socket.StateSynRecv ||
		s.State == socket.StateFinWait2 && s.Inode == 0
}

// member is a field that is a member of tcp_info.
func member(m socket.TCPMember) number {
	return func(s *socket.Socket) (uint64, bool) { return info(s).Get(m) }
}

// unless is a number that the kernel gives as unknown by that value.
func unless(unknown uint64, n number) number {
	return func(s *socket.Socket) (uint64, bool) {
		v, ok := n(s)
		return v, ok && v != unknown
	}
}

// less gives a-b, and 0 where the kernel read b after a and b has grown.
func less(a, b uint64) uint64 { return a - min(a, b) }

// inBytes takes the peer's FIN from tcpi_bytes_received, which counts it as a
// byte (net/ipv4/tcp_input.c, tcp_rcv_nxt_update).
func inBytes(s *socket.Socket) (uint64, bool) {
	n, ok := info(s).Get(socket.InfoBytesReceived)
	switch s.State {
	case socket.StateCloseWait, socket.StateLastAck, socket.StateClosing:
		n = less(n, 1)
	}
	return n, ok
}

// outBytes is what was sent once. Before Linux 4.19 only what the peer has
// acknowledged is known.
func outBytes(s *socket.Socket) (uint64, bool) {
	i := info(s)
	sent, ok := i.Get(socket.InfoBytesSent)
	again, ok2 := i.Get(socket.InfoBytesRetrans)
	if ok && ok2 {
		return less(sent, again), true
	}
	return i.Get(socket.InfoBytesAcked)
}

// outSegs takes from tcpi_data_segs_out the segments that were sent again.
func outSegs(s *socket.Socket) (uint64, bool) {
	sent, ok := info(s).Get(socket.InfoDataSegsOut)
	again, ok2 := retransSegs(s)
	return less(sent, again), ok && ok2
}

// retransSegs is tcpi_total_retrans. That counts a SYN or FIN that was sent
// again, too, which have no data: where no data was sent again, the data
// segments sent again are none.
func retransSegs(s *socket.Socket) (uint64, bool) {
	i := info(s)
	if n, ok := i.Get(socket.InfoBytesRetrans); ok && n == 0 {
		return 0, true
	}
	return i.Get(socket.InfoTotalRetrans)
}

// unacked is what of the send queue was sent. The kernel reads the queue just
// before it reads tcpi_notsent_bytes.
func unacked(s *socket.Socket) (uint64, bool) {
	unsent, ok := info(s).Get(socket.InfoNotsentBytes)
	return less(uint64(s.SendQueue), unsent), ok
}

// cwnd is in bytes; tcpi_snd_cwnd is in segments.
func cwnd(s *socket.Socket) (uint64, bool) {
	segments, ok := info(s).Get(socket.InfoSndCwnd)
	mss, ok2 := info(s).Get(socket.InfoSndMSS)
	return segments * mss, ok && ok2
}

// rto is in milliseconds.
func rto(s *socket.Socket) (uint64, bool) {
	v, ok := info(s).Get(socket.InfoRTO)
	return v / 1000, ok
}

// rttVar means nothing before the first sample, when the kernel gives what it
// begins with.
func rttVar(s *socket.Socket) (uint64, bool) {
	_, sampled := rtt(s)
	v, ok := info(s).Get(socket.InfoRTTVar)
	return v, ok && sampled
}

// Of what the kernel does not know yet.
var (
	rtt          = unless(0, member(socket.InfoRTT))
	minRTT       = unless(math.MaxUint32, member(socket.InfoMinRTT))
	deliveryRate = unless(0, member(socket.InfoDeliveryRate))
	pacingRate   = unless(math.MaxUint64, member(socket.InfoPacingRate))
)

func ofSocket(get func(*socket.Socket) uint64) number {
	return func(s *socket.Socket) (uint64, bool) { return get(s), !mini(s) }
}

package socket

import "encoding/binary"

// TCPInfo is a struct tcp_info (include/uapi/linux/tcp.h), as much of it as the
// running kernel has: what a later kernel brought is unset rather than zero.
type TCPInfo struct {
	raw [tcpInfoLen]byte
	n   uint16 // bytes that the kernel gave
}

// tcpInfoLen is where the members end that [TCPMember] knows.
const tcpInfoLen = 248

// TCPMember is a member of struct tcp_info: its offset and its size.
type TCPMember uint16

const size8 TCPMember = 1 << 15 // for the members of 8 bytes; the others have 4

// The members, each with the Linux that brought it; those without one are in
// every kernel that has sock_diag. Times are in microseconds, but for those
// that say otherwise; the kernel counts most of them in jiffies. A listener has
// only InfoPacingRate, InfoReordering and InfoSndCwnd; the rest is 0.
const (
	InfoRTO           TCPMember = 8           // tcpi_rto: retransmission time-out, back-off included
	InfoATO           TCPMember = 12          // tcpi_ato: delayed acknowledgment time-out
	InfoSndMSS        TCPMember = 16          // tcpi_snd_mss: bytes of data in a full segment sent
	InfoRcvMSS        TCPMember = 20          // tcpi_rcv_mss: the same of segments received, estimated
	InfoUnacked       TCPMember = 24          // tcpi_unacked: segments sent and not acknowledged; of a listener, its accept queue
	InfoSacked        TCPMember = 28          // tcpi_sacked: of those, acknowledged selectively; of a listener, its backlog
	InfoLost          TCPMember = 32          // tcpi_lost: of those, taken for lost
	InfoRetrans       TCPMember = 36          // tcpi_retrans: of those, sent again
	InfoLastDataSent  TCPMember = 44          // tcpi_last_data_sent: milliseconds since then
	InfoLastDataRecv  TCPMember = 52          // tcpi_last_data_recv: milliseconds since then
	InfoLastAckRecv   TCPMember = 56          // tcpi_last_ack_recv: milliseconds since then
	InfoPMTU          TCPMember = 60          // tcpi_pmtu: path MTU
	InfoRcvSSThresh   TCPMember = 64          // tcpi_rcv_ssthresh
	InfoRTT           TCPMember = 68          // tcpi_rtt: smoothed round-trip time; 0 before the first sample
	InfoRTTVar        TCPMember = 72          // tcpi_rttvar: its mean deviation; means nothing before the first sample
	InfoSndSSThresh   TCPMember = 76          // tcpi_snd_ssthresh: slow start threshold, in segments
	InfoSndCwnd       TCPMember = 80          // tcpi_snd_cwnd: congestion window, in segments
	InfoAdvMSS        TCPMember = 84          // tcpi_advmss: the MSS that was advertised
	InfoReordering    TCPMember = 88          // tcpi_reordering: how far segments are known to be out of order
	InfoRcvRTT        TCPMember = 92          // tcpi_rcv_rtt: round-trip time as the receiver estimates it; 0 before that
	InfoRcvSpace      TCPMember = 96          // tcpi_rcv_space: bytes that the program reads in a round trip
	InfoTotalRetrans  TCPMember = 100         // tcpi_total_retrans: segments sent again, SYN and FIN included
	InfoPacingRate    TCPMember = size8 | 104 // tcpi_pacing_rate: bytes per second, all ones without a limit; Linux 3.15
	InfoMaxPacingRate TCPMember = size8 | 112 // tcpi_max_pacing_rate: SO_MAX_PACING_RATE; Linux 3.15
	InfoBytesAcked    TCPMember = size8 | 120 // tcpi_bytes_acked: SYN and FIN count as a byte; Linux 4.1
	InfoBytesReceived TCPMember = size8 | 128 // tcpi_bytes_received: in order and once, FIN counts as a byte; Linux 4.1
	InfoSegsOut       TCPMember = 136         // tcpi_segs_out: all segments; Linux 4.2
	InfoSegsIn        TCPMember = 140         // tcpi_segs_in: all segments; Linux 4.2
	InfoNotsentBytes  TCPMember = 144         // tcpi_notsent_bytes: in the send queue and never sent; Linux 4.6
	InfoMinRTT        TCPMember = 148         // tcpi_min_rtt: of some minutes, all ones before the first sample; Linux 4.6
	InfoDataSegsIn    TCPMember = 152         // tcpi_data_segs_in: with data, duplicates included; Linux 4.6
	InfoDataSegsOut   TCPMember = 156         // tcpi_data_segs_out: with data, those sent again included; Linux 4.6
	InfoDeliveryRate  TCPMember = size8 | 160 // tcpi_delivery_rate: bytes per second, 0 before it is known; Linux 4.9
	InfoBusyTime      TCPMember = size8 | 168 // tcpi_busy_time: with data to send or to be acknowledged; Linux 4.10
	InfoRwndLimited   TCPMember = size8 | 176 // tcpi_rwnd_limited: of that, held up by the peer's window; Linux 4.10
	InfoSndbufLimited TCPMember = size8 | 184 // tcpi_sndbuf_limited: of that, held up by the send buffer; Linux 4.10
	InfoDelivered     TCPMember = 192         // tcpi_delivered: segments that the peer got, SYN included; Linux 4.18
	InfoDeliveredCE   TCPMember = 196         // tcpi_delivered_ce: of those, marked for congestion; Linux 4.18
	InfoBytesSent     TCPMember = size8 | 200 // tcpi_bytes_sent: data, what was sent again included; Linux 4.19
	InfoBytesRetrans  TCPMember = size8 | 208 // tcpi_bytes_retrans: data sent again; Linux 4.19
	InfoDSACKDups     TCPMember = 216         // tcpi_dsack_dups: segments that the peer got twice; Linux 4.19
	InfoReordSeen     TCPMember = 220         // tcpi_reord_seen: how often segments were out of order; Linux 4.19
	InfoRcvOOOPack    TCPMember = 224         // tcpi_rcv_ooopack: segments received out of order; Linux 5.4
	InfoSndWnd        TCPMember = 228         // tcpi_snd_wnd: the peer's window, in bytes; Linux 5.4
	InfoRcvWnd        TCPMember = 232         // tcpi_rcv_wnd: the window last advertised, in bytes; Linux 6.2
	InfoRehash        TCPMember = 236         // tcpi_rehash: times that another path was tried; Linux 6.2
	InfoTotalRTOTime  TCPMember = 244         // tcpi_total_rto_time: milliseconds in recovery from time-outs; Linux 6.7
)

// NewTCPInfo returns the members in raw, a struct tcp_info of any length; see
// [TCPInfoSize].
func NewTCPInfo(raw []byte) TCPInfo {
	var i TCPInfo
	i.n = uint16(copy(i.raw[:], raw))
	return i
}

// Get gives a member; ok is false where the running kernel does not have it, or
// gave no tcp_info at all, as for a mini-socket. A number that the kernel gives
// for "not known yet" is given as it is.
func (i *TCPInfo) Get(m TCPMember) (value uint64, ok bool) {
	at := int(m &^ size8)
	if m&size8 != 0 {
		if at+8 > int(i.n) {
			return 0, false
		}
		return binary.NativeEndian.Uint64(i.raw[at:]), true
	}
	if at+4 > int(i.n) {
		return 0, false
	}
	return uint64(binary.NativeEndian.Uint32(i.raw[at:])), true
}

// Known reports whether there is a tcp_info.
func (i *TCPInfo) Known() bool { return i.n > 0 }

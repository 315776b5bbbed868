package socket

import (
	"bytes"
	"encoding/binary"
)

// DetailSet says which [Details] of TCP sockets a [Query] asks for. The empty
// set asks for none.
type DetailSet uint8

// What can be asked for. Any of them gives what WithDetails does.
const (
	// WithDetails asks for no more than the kernel writes anyway: the cookie,
	// the cgroup, and whether it is a mini-socket.
	WithDetails DetailSet = 1 << iota
	// WithTCPInfo asks for INET_DIAG_INFO. The kernel locks each socket for it
	// and writes three times as much.
	WithTCPInfo
	// WithMemory asks for INET_DIAG_SKMEMINFO, since Linux 3.6.
	WithMemory
	// WithCongestion asks for INET_DIAG_CONG.
	WithCongestion
)

// Details are what sock_diag can tell of a TCP socket beyond [Socket].
type Details struct {
	// Mini tells that the kernel keeps no more than a mini-socket: for
	// TIME_WAIT, for FIN_WAIT2 once it is closed, and for SYN_RECV. It has
	// neither queues nor user, and none of what follows but the cookie. Known
	// by its lack of INET_DIAG_SHUTDOWN, since Linux 3.8.
	Mini bool
	// Cookie is idiag_cookie, which no other socket has had since the machine
	// started (SO_COOKIE; ss -e has it as sk:, in hexadecimal).
	Cookie uint64
	// CgroupID is INET_DIAG_CGROUP_ID, since Linux 5.8: the cgroup v2 in which
	// the socket was made, by the inode of its directory. 0 is unknown.
	CgroupID uint64
	// Info is INET_DIAG_INFO, struct tcp_info; see [TCPInfo.Get].
	Info TCPInfo
	// Memory is INET_DIAG_SKMEMINFO; see [SockMemory.Get].
	Memory SockMemory
	// Congestion is INET_DIAG_CONG, the name of the congestion control algorithm.
	Congestion CongestionName
}

// CongestionName is the name of a congestion control algorithm, as long as
// TCP_CA_NAME_MAX and filled up with zeros.
type CongestionName [16]byte

// String gives the name, "cubic", or "" where it is not known.
func (c *CongestionName) String() string { return string(c.Bytes()) }

// Bytes gives the name within c, without an allocation.
func (c *CongestionName) Bytes() []byte {
	if end := bytes.IndexByte(c[:], 0); end >= 0 {
		return c[:end]
	}
	return c[:]
}

// SockMemory is what a socket takes and may take of memory, in bytes but for
// the last.
type SockMemory struct {
	values [memoryValues]uint32
	n      uint8 // values that the kernel gave
}

// MemoryValue is a value of [SockMemory], numbered as SK_MEMINFO_* of
// include/uapi/linux/sock_diag.h.
type MemoryValue uint8

// The values, each with the letter that ss -m has for it.
const (
	MemoryReceived MemoryValue = iota // SK_MEMINFO_RMEM_ALLOC, r: taken by what was received
	MemoryRcvbuf                      // SK_MEMINFO_RCVBUF, rb: limit of that
	MemorySent                        // SK_MEMINFO_WMEM_ALLOC, t: taken by what is being sent
	MemorySndbuf                      // SK_MEMINFO_SNDBUF, tb: limit of MemoryQueued
	MemoryForward                     // SK_MEMINFO_FWD_ALLOC, f: set aside and not taken
	MemoryQueued                      // SK_MEMINFO_WMEM_QUEUED, w: taken by what is to be sent
	MemoryOptions                     // SK_MEMINFO_OPTMEM, o: taken by options
	MemoryBacklog                     // SK_MEMINFO_BACKLOG, bl: waiting for a lock; in Linux 3.10 at the latest
	MemoryDrops                       // SK_MEMINFO_DROPS, d: packets that were dropped; Linux 4.7

	memoryValues = 9
)

// Get gives a value; ok is false where it was not asked for or the kernel does
// not have it.
func (m *SockMemory) Get(v MemoryValue) (value uint32, ok bool) {
	if int(v) >= int(m.n) {
		return 0, false
	}
	return m.values[v], true
}

// Attributes of a message (include/uapi/linux/inet_diag.h). Those up to 8 are
// asked for by their bit of idiag_ext, which has no more; the kernel adds
// INET_DIAG_SHUTDOWN and INET_DIAG_CGROUP_ID unasked.
const (
	diagMemInfo   = 1  // INET_DIAG_MEMINFO
	diagInfo      = 2  // INET_DIAG_INFO
	diagCong      = 4  // INET_DIAG_CONG
	diagSkMemInfo = 7  // INET_DIAG_SKMEMINFO
	diagShutdown  = 8  // INET_DIAG_SHUTDOWN
	diagCgroupID  = 21 // INET_DIAG_CGROUP_ID
)

// extensions gives idiag_ext of a request.
func (set DetailSet) extensions() (ext byte) {
	if set&WithTCPInfo != 0 {
		ext |= 1 << (diagInfo - 1)
	}
	if set&WithMemory != 0 {
		ext |= 1 << (diagSkMemInfo - 1)
	}
	if set&WithCongestion != 0 {
		ext |= 1 << (diagCong - 1)
	}
	return ext
}

// decodeDetails reads the rest of what decodeDiagMsg reads the head of:
// idiag_cookie and the attributes.
func decodeDetails(m []byte, d *Details) error {
	*d = Details{Mini: true, Cookie: cookieOf(m)}
	for b := m[diagMsgLen:]; len(b) >= nlattrLen; {
		length := int(binary.NativeEndian.Uint16(b))
		if length < nlattrLen || length > len(b) {
			return errTruncated
		}
		value := b[nlattrLen:length]
		switch binary.NativeEndian.Uint16(b[2:]) {
		case diagShutdown:
			d.Mini = false
		case diagInfo:
			d.Info = NewTCPInfo(value)
		case diagCong:
			copy(d.Congestion[:], value)
		case diagCgroupID:
			if len(value) >= 8 {
				d.CgroupID = binary.NativeEndian.Uint64(value)
			}
		case diagSkMemInfo:
			for i := 0; i < memoryValues && len(value) >= 4*(i+1); i++ {
				d.Memory.values[i] = binary.NativeEndian.Uint32(value[4*i:])
				d.Memory.n++
			}
		}
		b = b[min((length+3)&^3, len(b)):] // NLA_ALIGN
	}
	return nil
}

package socket

import "net/netip"

// Socket is one TCP or UDP socket, or one of the mini-sockets that the kernel
// keeps for TIME_WAIT and SYN_RECV.
type Socket struct {
	// Protocol is TCP or UDP.
	Protocol Protocol
	// State is the TCP state (idiag_state; column st of /proc/net/tcp). A UDP
	// socket is StateEstablished when connected and StateClose otherwise.
	State State
	// Local and Remote are idiag_src:idiag_sport and idiag_dst:idiag_dport
	// (columns local_address and rem_address). IPv4-mapped IPv6 addresses are
	// given as IPv4. Where there is no peer, Remote is the unspecified address
	// and port 0. The addresses are invalid where the system does not give any.
	// From netlink, a link-local IPv6 address has the index of its interface as
	// its zone (idiag_if): each interface may have the same address.
	Local, Remote netip.AddrPort
	// RecvQueue is idiag_rqueue (rx_queue): bytes received and not yet read,
	// or, in LISTEN, connections in the accept queue.
	RecvQueue uint32
	// SendQueue is idiag_wqueue (tx_queue): bytes sent and not yet
	// acknowledged, or, in LISTEN and from netlink only, the backlog, which is
	// the accept queue's limit.
	SendQueue uint32
	// UID is idiag_uid (uid), the user who made the socket. 0 for TIME_WAIT, for
	// SYN_RECV from netlink (procfs gives the listener's), and from gopsutil on
	// systems that do not tell.
	UID uint32
	// Inode is idiag_inode (inode), which /proc/PID/fd/N links to as
	// "socket:[inode]". 0 where no descriptor belongs to the socket: TIME_WAIT,
	// SYN_RECV, connections that nobody has accepted yet or that are closed
	// and still finishing. Always 0 from gopsutil.
	Inode uint64
	// PID is the owning process, from gopsutil only; 0 is unknown. The kernel's
	// tables on Linux do not have it.
	PID int
	// Details are there if the Query asked for any, for TCP and from netlink
	// only. Like the Socket they are reused for the next one; to keep them, copy
	// what this points to.
	Details *Details
}

// Protocol is a transport protocol, numbered as in an IP header.
type Protocol uint8

// The protocols: IPPROTO_TCP and IPPROTO_UDP.
const (
	TCP Protocol = 6
	UDP Protocol = 17
)

// String gives "tcp" or "udp".
func (p Protocol) String() string {
	switch p {
	case TCP:
		return "tcp"
	case UDP:
		return "udp"
	default:
		return "unknown"
	}
}

// Table is one of the kernel's four tables of internet sockets. The table of
// IPv6 sockets also holds those that an IPv6 socket has with IPv4 peers.
type Table uint8

// The tables, in the order in which a Source reads them.
const (
	TCP4 Table = iota
	TCP6
	UDP4
	UDP6
)

var tables = [...]Table{TCP4, TCP6, UDP4, UDP6}

// String gives the table's name as a file of /proc/net: "tcp", "tcp6", "udp",
// "udp6".
func (t Table) String() string {
	if t.IPv6() {
		return t.Protocol().String() + "6"
	}
	return t.Protocol().String()
}

// Protocol tells whose sockets the table has.
func (t Table) Protocol() Protocol {
	if t == UDP4 || t == UDP6 {
		return UDP
	}
	return TCP
}

// IPv6 reports whether the table is that of AF_INET6 sockets.
func (t Table) IPv6() bool { return t == TCP6 || t == UDP6 }

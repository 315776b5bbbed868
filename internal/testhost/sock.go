//go:build linux

package testhost

import (
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"
)

// Sock is a socket of the host, in the state in which the kernel's tables show it.
type Sock struct {
	Version Version
	State   State // the kernel's name

	// Local and Remote are as the tables show them, but with IPv4-mapped addresses as IPv4. Without a remote end
	// Remote is 0.0.0.0:0 or [::]:0.
	Local, Remote netip.AddrPort

	// Inode is 0 where the kernel has none to show: before a connection is accepted, and after its socket is closed.
	Inode uint64

	h  *Host
	fd int // -1 where no descriptor is left
}

// Close makes the socket disappear from the kernel's tables at once, where a program's close would take a connection
// through FIN_WAIT1 and so on. It can do nothing for a socket without an inode, which stays for as long as the kernel
// keeps it. A socket is closed when the test ends, at the latest.
func (s *Sock) Close() {
	s.h.mu.Lock()
	defer s.h.mu.Unlock()
	if s.fd < 0 {
		return
	}
	abort := unix.Linger{Onoff: 1, Linger: 0}
	_ = unix.SetsockoptLinger(s.fd, unix.SOL_SOCKET, unix.SO_LINGER, &abort) // UDP has nothing to linger for
	_ = unix.Close(s.fd)
	s.fd = -1
}

// Listen makes a listening socket. An invalid address is the wildcard: 0.0.0.0, [::] for IPv6 alone, or for [Mapped]
// [::] for both. Ports may be shared: every socket of the host has SO_REUSEPORT.
func (h *Host) Listen(v Version, addr netip.Addr, port uint16) *Sock {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	fd := h.bind(v, unix.SOCK_STREAM, addr, port)
	h.must("listen", unix.Listen(fd, unix.SOMAXCONN))
	s := h.newSock(v, fd, Listen, h.local(fd), noRemote(v))
	h.listeners = append(h.listeners, s)
	return s
}

// Accept has the peer connect, over IP version v, to the port of a listener, and takes that connection to a state. All
// are possible but [SynSent]. Where listeners of one version share the port, the kernel chooses among them.
//
// Connections are accepted in the order of their arrival: once one is left [EstablishedQueued], its listener can only
// get more of those, and [SynRecv].
func (h *Host) Accept(v Version, listener *Sock, state State) *Sock {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	if addr := listener.Local.Addr(); !addr.IsUnspecified() && addr != h.Addr(v) {
		h.t.Fatalf("testhost: the peer can connect to %v, not to %v", h.Addr(v), addr)
	}
	f := h.newFlow(v, listener.Local.Port(), 0)
	f.dial()
	fd := -1
	if state != SynRecv {
		f.send(ack)
		if state != EstablishedQueued {
			fd = f.end(h.accept(f, listener), state)
		}
	}
	f.await(fd, state)
	return h.newSock(v, fd, state.kernel(), f.host, f.peer)
}

// accept accepts the flow from the listener, or from whichever of those that share its port has it.
func (h *Host) accept(f *flow, listener *Sock) int {
	h.t.Helper()
	fd := -1
	var from unix.Sockaddr
	h.until("accept "+f.peer.String(), func() bool {
		for _, l := range h.listeners {
			if l.fd < 0 || l.Version != listener.Version || l.Local.Port() != f.host.Port() {
				continue
			}
			var err error
			fd, from, err = unix.Accept4(l.fd, unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK)
			if err == nil {
				return true
			}
			if !errors.Is(err, unix.EAGAIN) {
				h.must("accept", err)
			}
		}
		return false
	})
	if got := addrPortOf(from); got != f.peer {
		h.t.Fatalf("testhost: accepted %v, which was left in the queue, instead of %v", got, f.peer)
	}
	return fd
}

// Connect connects a local port, or any if that is 0, to a port of the peer's, or any if that is 0, and takes that
// connection to a state. All are possible but [SynRecv] and [EstablishedQueued].
func (h *Host) Connect(v Version, localPort, remotePort uint16, state State) *Sock {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	fd := h.bind(v, unix.SOCK_STREAM, h.Addr(v), localPort)
	f := h.newFlow(v, h.local(fd).Port(), remotePort)
	if err := unix.Connect(fd, sockaddr(v, f.peer)); !errors.Is(err, unix.EINPROGRESS) {
		h.must("connect", err)
	}
	f.answer()
	if state != SynSent {
		f.send(syn | ack)
		f.await(fd, Established)
		fd = f.end(fd, state)
	}
	f.await(fd, state)
	return h.newSock(v, fd, state.kernel(), f.host, f.peer)
}

// EveryState makes a socket in each state, all on one local port: a listener on the wildcard address, [SynSent], and
// the others as that listener's connections. That is 12 sockets in ten states, for there are two kinds of ESTABLISHED
// and of FIN_WAIT2. They take some 30 ms. No other listener may share the port, or it takes some of the connections.
func (h *Host) EveryState(v Version, port uint16) []*Sock {
	h.t.Helper()
	l := h.Listen(v, netip.Addr{}, port)
	socks := []*Sock{l, h.Connect(v, port, 0, SynSent)}
	for _, state := range []State{
		SynRecv, Established, FinWait1, FinWait2, FinWait2Orphan, TimeWait, CloseWait, LastAck, Closing,
		EstablishedQueued, // last, as Accept says
	} {
		socks = append(socks, h.Accept(v, l, state))
	}
	return socks
}

// Bound makes a TCP socket that has a port, and neither listens nor is connected. The kernel's tables do not show it.
func (h *Host) Bound(v Version, port uint16) *Sock {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	fd := h.bind(v, unix.SOCK_STREAM, netip.Addr{}, port)
	return h.newSock(v, fd, Close, h.local(fd), noRemote(v))
}

// UDP makes a UDP socket, connected to a port of the peer's or not: in state [Established] or [Close]. An invalid
// address is the wildcard, as for Listen; connecting gives the socket the address that leads to the peer.
func (h *Host) UDP(v Version, addr netip.Addr, port uint16, connect bool) *Sock {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	fd := h.bind(v, unix.SOCK_DGRAM, addr, port)
	state, remote := Close, noRemote(v)
	if connect {
		state, remote = Established, h.peer(v, 0)
		h.must("connect", unix.Connect(fd, sockaddr(v, remote)))
	}
	return h.newSock(v, fd, state, h.local(fd), remote)
}

// bind returns a new socket of that version and type, bound.
func (h *Host) bind(v Version, typ int, addr netip.Addr, port uint16) int {
	h.t.Helper()
	family := unix.AF_INET6
	if v == IPv4 {
		family = unix.AF_INET
	}
	fd, err := unix.Socket(family, typ|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	h.must("socket", err)
	h.must("SO_REUSEADDR", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1))
	h.must("SO_REUSEPORT", unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1))
	switch v {
	case IPv6:
		h.must("IPV6_V6ONLY", unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 1))
	case Mapped:
		h.must("IPV6_V6ONLY", unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_V6ONLY, 0))
	}
	if !addr.IsValid() {
		addr = noRemote(v).Addr()
	}
	h.must("bind", unix.Bind(fd, sockaddr(v, netip.AddrPortFrom(addr, port))))
	return fd
}

// newSock describes a socket, and closes it when the test ends.
func (h *Host) newSock(v Version, fd int, state State, local, remote netip.AddrPort) *Sock {
	h.t.Helper()
	s := &Sock{Version: v, State: state, Local: local, Remote: remote, h: h, fd: fd}
	if fd >= 0 {
		var st unix.Stat_t
		h.must("fstat", unix.Fstat(fd, &st))
		s.Inode = st.Ino
		h.t.Cleanup(s.Close)
	}
	return s
}

func (h *Host) local(fd int) netip.AddrPort {
	h.t.Helper()
	sa, err := unix.Getsockname(fd)
	h.must("getsockname", err)
	return addrPortOf(sa)
}

// noRemote is what the tables show for a remote end that is not there.
func noRemote(v Version) netip.AddrPort {
	if v == IPv4 {
		return netip.AddrPortFrom(netip.IPv4Unspecified(), 0)
	}
	return netip.AddrPortFrom(netip.IPv6Unspecified(), 0)
}

func sockaddr(v Version, ap netip.AddrPort) unix.Sockaddr {
	if v == IPv4 {
		return &unix.SockaddrInet4{Addr: ap.Addr().As4(), Port: int(ap.Port())}
	}
	return &unix.SockaddrInet6{Addr: ap.Addr().As16(), Port: int(ap.Port())}
}

func addrPortOf(sa unix.Sockaddr) netip.AddrPort {
	switch sa := sa.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(sa.Addr), uint16(sa.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(sa.Addr).Unmap(), uint16(sa.Port))
	}
	return netip.AddrPort{}
}

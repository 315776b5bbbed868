//go:build linux

package testhost

import "net/netip"

// Flood sends a listener n SYNs over IPv4 as a SYN flood does: each as if from another address and port, and nothing
// after it. The addresses are of the peer's network, so nothing leaves the namespace.
func (h *Host) Flood(listener *Sock, n int) {
	h.t.Helper()
	h.mu.Lock()
	defer h.mu.Unlock()
	const firstAddr, addrs, firstPort = 3, 250, 1024 // after the host's address and the peer's
	for range n {
		src := peerIPv4.As4()
		src[3] = byte(firstAddr + h.flooded%addrs)
		f := flow{
			h:    h,
			host: netip.AddrPortFrom(hostIPv4, listener.Local.Port()),
			peer: netip.AddrPortFrom(netip.AddrFrom4(src), uint16(firstPort+h.flooded/addrs)),
			seq:  uint32(h.flooded),
		}
		f.send(syn)
		h.flooded++
	}
}

package socket

import (
	"context"
	"fmt"
	"net/netip"
	"syscall"

	"github.com/shirou/gopsutil/v3/net"

	"github.com/l4stat/l4stat/internal/guard"
)

// gopsutil reads what github.com/shirou/gopsutil/v3 finds: the system's tables
// on Windows, the output of lsof on macOS and FreeBSD, every /proc/PID/fd on
// Linux. Each call costs all of that, whatever is asked for.
type gopsutil struct{}

func newGopsutil(Options) Source { return gopsutil{} }

func (gopsutil) Close() error { return nil }

func (gopsutil) Each(ctx context.Context, q Query, fn func(*Socket) error) error {
	if err := q.check(); err != nil {
		return err // rather than after all that work
	}
	// "inet" leaves out Unix sockets, which "all" would mix in.
	conns, err := guard.Parse(func() ([]net.ConnectionStat, error) { return net.ConnectionsWithContext(ctx, "inet") })
	if err != nil {
		return fmt.Errorf("list sockets with gopsutil: %w", err)
	}
	byTable := map[Table][]*net.ConnectionStat{}
	for i := range conns {
		t := gopsutilTable(&conns[i])
		byTable[t] = append(byTable[t], &conns[i])
	}
	var known roll
	return eachTable(ctx, q, fn, oneByOne, single(func(_ context.Context, t Table, _ Query, fn func(*Socket) error) error {
		known.reset()
		for _, c := range byTable[t] {
			var s Socket
			if !fromGopsutil(c, &s) {
				continue
			}
			// A connection that several processes share is listed for each.
			// Listeners and UDP sockets are not told apart in that case.
			if s.Protocol == TCP && known.enter(procID(&s)) {
				continue
			}
			if err := fn(&s); err != nil {
				return stopped(err)
			}
		}
		return nil
	}))
}

func gopsutilTable(c *net.ConnectionStat) Table {
	switch udp, v6 := c.Type == syscall.SOCK_DGRAM, c.Family == syscall.AF_INET6; {
	case udp && v6:
		return UDP6
	case udp:
		return UDP4
	case v6:
		return TCP6
	default:
		return TCP4
	}
}

// fromGopsutil fills s and reports whether it is a socket that a table on Linux
// would show.
func fromGopsutil(c *net.ConnectionStat, s *Socket) bool {
	t := gopsutilTable(c)
	*s = Socket{
		Protocol: t.Protocol(),
		Local:    gopsutilAddr(c.Laddr, t),
		Remote:   gopsutilAddr(c.Raddr, t),
		PID:      int(max(c.Pid, 0)),
	}
	if len(c.Uids) > 0 {
		s.UID = uint32(c.Uids[0])
	}
	if s.Protocol == TCP {
		switch c.Status {
		case "BOUND", "IDLE":
			return false
		}
		s.State, _ = ParseState(c.Status)
		return true
	}
	s.State = StateClose
	if s.Remote.Port() != 0 {
		s.State = StateEstablished
	}
	return true
}

// gopsutilAddr reads an address as the systems spell it: lsof has "*" for the
// unspecified one, and an absent peer has no text at all.
func gopsutilAddr(a net.Addr, t Table) netip.AddrPort {
	unspecified := netip.IPv4Unspecified()
	if t.IPv6() {
		unspecified = netip.IPv6Unspecified()
	}
	switch a.IP {
	case "*":
		return netip.AddrPortFrom(unspecified, uint16(a.Port))
	case "":
		return netip.AddrPort{}
	}
	// The zone of a link-local address is not part of what a table has.
	addr, err := netip.ParseAddr(a.IP)
	if err != nil {
		return netip.AddrPortFrom(netip.Addr{}, uint16(a.Port))
	}
	return netip.AddrPortFrom(addr.Unmap().WithZone(""), uint16(a.Port))
}

//go:build linux

package testhost

import (
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const (
	device = "testhost0"
	mtu    = 1500

	// patience is how long to wait for what the kernel does at once, unless the machine is very busy.
	patience = 30 * time.Second
)

var (
	hostIPv4, peerIPv4 = netip.MustParseAddr("10.77.0.1"), netip.MustParseAddr("10.77.0.2")
	hostIPv6, peerIPv6 = netip.MustParseAddr("fd77::1"), netip.MustParseAddr("fd77::2")
)

// Host is this process's network namespace, set up so that sockets in it have a peer. Its methods end the test where
// they cannot do what they are asked, so call them from the goroutine of the test that made it.
type Host struct {
	t   testing.TB
	tun *os.File

	mu        sync.Mutex // held by one script at a time: scripts read from the same tun
	listeners []*Sock
	peerPort  uint16 // of the peer's last flow
	flooded   int    // SYNs that Flood has sent
}

// New sets up the namespace that [Enter] made: loopback, and an interface with the addresses 10.77.0.1 and fd77::1
// behind which the peer, 10.77.0.2 and fd77::2, does as the methods of Host say and otherwise never answers. All of it,
// sockets included, goes when the test ends, except that the kernel keeps what is in TIME_WAIT. There can be one Host
// at a time.
func New(t testing.TB) *Host {
	t.Helper()
	if !entered() {
		t.Fatal("testhost: New changes the network around it, so the test must call Enter first")
	}
	ip, err := exec.LookPath("ip")
	if err != nil {
		SkipOrFail(t, "needs ip (Debian: iproute2)")
	}
	if _, err := os.Stat("/proc/self/net/if_inet6"); err != nil {
		SkipOrFail(t, "needs IPv6 in the kernel")
	}
	tun, err := openTUN()
	if err != nil {
		SkipOrFail(t, "cannot make a TUN device: "+err.Error())
	}
	t.Cleanup(func() { tun.Close() })

	cmd := exec.Command(ip, "-batch", "-")
	cmd.Stdin = strings.NewReader(`
link set lo up
link set ` + device + ` up
address add ` + hostIPv4.String() + `/24 dev ` + device + `
address add ` + hostIPv6.String() + `/64 dev ` + device + ` nodad
`)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("ip: %v\n%s", err, out)
	}
	h := &Host{t: t, tun: tun, peerPort: 20000}
	h.until("this host takes what is sent to "+hostIPv6.String(), takesIPv6)
	return h
}

// takesIPv6 reports whether the route is there that delivers what is sent to this host's IPv6 address. The kernel adds
// it some time after the address (net/ipv6/addrconf.c, addrconf_dad_work), the later the more namespaces are being made
// or unmade, and drops what comes before.
func takesIPv6() bool {
	routes, err := os.ReadFile("/proc/self/net/ipv6_route")
	if err != nil {
		return false
	}
	const bits = "80" // 128
	return strings.Contains(string(routes), fmt.Sprintf("%x %s ", hostIPv6.As16(), bits))
}

func openTUN() (*os.File, error) {
	const path = "/dev/net/tun"
	fd, err := unix.Open(path, unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	ifr, err := unix.NewIfreq(device)
	if err == nil {
		ifr.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
		err = unix.IoctlIfreq(fd, unix.TUNSETIFF, ifr)
	}
	if err != nil {
		unix.Close(fd)
		return nil, os.NewSyscallError("TUNSETIFF", err)
	}
	return os.NewFile(uintptr(fd), path), nil
}

// Addr returns this host's address, as the kernel's tables should be read: for [Mapped] it is the IPv4 address.
func (h *Host) Addr(v Version) netip.Addr {
	if v == IPv6 {
		return hostIPv6
	}
	return hostIPv4
}

// newFlow returns a connection, not yet begun, between a local port and one of the peer's.
func (h *Host) newFlow(v Version, localPort, remotePort uint16) *flow {
	return &flow{h: h, v: v, host: netip.AddrPortFrom(h.Addr(v), localPort), peer: h.peer(v, remotePort), seq: 1}
}

// peer returns the peer's address with a port, or with one not used before if that is 0.
func (h *Host) peer(v Version, port uint16) netip.AddrPort {
	if port == 0 {
		h.peerPort = max(1, h.peerPort+1)
		port = h.peerPort
	}
	if v == IPv6 {
		return netip.AddrPortFrom(peerIPv6, port)
	}
	return netip.AddrPortFrom(peerIPv4, port)
}

// must ends the test if a step failed.
func (h *Host) must(step string, err error) {
	h.t.Helper()
	if err != nil {
		h.t.Fatalf("testhost: %s: %v", step, err)
	}
}

// until waits for something that takes the kernel a moment.
func (h *Host) until(what string, done func() bool) {
	h.t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			h.t.Fatalf("testhost: waited %v in vain: %s", patience, what)
		}
	}
}

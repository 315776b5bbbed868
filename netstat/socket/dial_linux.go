package socket

import (
	"context"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"

	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"
)

// newNetlink reads this network namespace.
func newNetlink(o Options) *netlink {
	return &netlink{dial: dial, buckets: sync.OnceValue(tcpBuckets), incomplete: incomplete{warn: o.Warn}}
}

// tcpBuckets gives the size of this network namespace's hash table of TCP
// connections: net.ipv4.tcp_ehash_entries, negative where the table is that of the
// whole machine, since Linux 6.1. Earlier ones have that table alone, of a bucket
// for each 128 KiB of memory at the most (net/ipv4/tcp.c, tcp_init).
func tcpBuckets() int {
	text, err := os.ReadFile("/proc/sys/net/ipv4/tcp_ehash_entries")
	if err == nil {
		n, _ := strconv.Atoi(strings.TrimSpace(string(text)))
		return max(n, -n)
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) != nil {
		return 0
	}
	return int(min(uint64(info.Totalram)*uint64(info.Unit)/(128<<10), 512<<10)) / 2
}

// dial opens a NETLINK_SOCK_DIAG socket, which needs no privilege.
func dial() (Conn, error) {
	conn, err := socket.Socket(unix.AF_NETLINK, unix.SOCK_RAW, unix.NETLINK_SOCK_DIAG, "netlink", nil)
	if err != nil {
		return nil, err
	}
	// Connected to the kernel, port 0, it takes datagrams from nobody else.
	if _, err := conn.Connect(context.Background(), &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("connect to the kernel: %w", err)
	}
	return conn, nil
}

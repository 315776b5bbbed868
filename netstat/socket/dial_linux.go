package socket

import (
	"context"
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/internal/kernel"
)

// newNetlink reads this network namespace.
func newNetlink(o Options) *netlink {
	return &netlink{dial: dialer(o.host()), buckets: sync.OnceValue(tcpBuckets), incomplete: incomplete{warn: o.Warn}}
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

// dialer returns a function that opens a NETLINK_SOCK_DIAG connection.
func dialer(host kernel.Host) func() (Conn, error) {
	return func() (Conn, error) { return host.Dial(context.Background(), unix.NETLINK_SOCK_DIAG) }
}

package kernel

import (
	"context"
	"errors"
	"fmt"

	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"
)

// DatagramLimit is the size of the largest datagram of a dump: the kernel makes
// them as large as the reader's buffer and at most this (net/netlink/af_netlink.c,
// netlink_recvmsg).
const DatagramLimit = 32 << 10

// Dial opens a netlink connection to the kernel, such as unix.NETLINK_ROUTE, of
// this thread's network namespace. It takes datagrams from nobody else. It needs no
// privilege. Close it after use.
func (Host) Dial(ctx context.Context, protocol int) (*socket.Conn, error) {
	conn, err := socket.Socket(unix.AF_NETLINK, unix.SOCK_RAW, protocol, "netlink", nil)
	if err != nil {
		return nil, err
	}
	// Connected to port 0, which is the kernel's.
	if _, err := conn.Connect(ctx, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return nil, errors.Join(fmt.Errorf("connect to the kernel: %w", err), conn.Close())
	}
	return conn, nil
}

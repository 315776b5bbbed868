package socket

import (
	"context"
	"fmt"

	"github.com/mdlayher/socket"
	"golang.org/x/sys/unix"
)

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

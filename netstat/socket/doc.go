// Package socket lists this host's TCP and UDP sockets: addresses, state,
// queues, owner's uid, inode.
//
// A [Source] streams them, one call of a function for each socket. It keeps at most
// a dozen bytes for a socket, in memory that is used again, and none for TCP sockets
// in a table of the usual size. A socket that exists for the whole of a listing is
// listed exactly once, whatever comes and goes beside it; docs/counts.md has how,
// and where not.
// There are three:
//
//   - "netlink": the kernel's NETLINK_SOCK_DIAG dumps (net/ipv4/inet_diag.c),
//     the cheapest; Linux.
//   - "procfs": /proc/net/tcp, tcp6, udp and udp6, text that the kernel formats
//     and this package parses; Linux.
//   - "gopsutil": github.com/shirou/gopsutil/v3, the one for every other system,
//     and for comparison on Linux. It knows the owning process at once, and it
//     looks at every descriptor of every process to do so.
//
// [Open] with [Auto] takes the best that the system has, and goes from netlink
// to procfs where the kernel, its configuration or a seccomp filter refuses
// sock_diag.
//
// Of TCP sockets, netlink can tell what the kernel knows of the connection, too:
// a [Query] that asks for [Details] gets struct tcp_info and more. The other
// sources have nothing of the kind.
//
// What no source lists: Unix sockets, raw sockets, and, unless netlink is asked for
// them, TCP sockets that are bound but neither connected nor listening.
package socket

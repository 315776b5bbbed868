// Package netstat counts this host's TCP connections by state, and its UDP
// sockets, for the whole host and for configured ports and addresses.
//
// A [Collector] made from a [Config] gives [Metric] values: the measurement
// netstat for the host, by IP version, and netstat_port for the entries of the
// configuration's groups. One Gather is one pass over the kernel's tables; it
// keeps nothing and allocates nothing for each socket.
//
// Package socket, below this one, lists the sockets themselves; package emit
// writes metrics as line protocol.
package netstat

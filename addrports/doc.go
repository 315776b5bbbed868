// Package addrports tells which configured entry an address and port belongs
// to: "80", "8000-8010", "10.0.0.0/8:443", "[2001:db8::1]:80", "*:80".
//
// It is pure: no I/O, no sockets, no state that changes. Entries are parsed
// once with [Parse] and [ParseMatch] and put into a [Table]; a look-up then
// costs the same however many entries the table has, since it starts from an
// array indexed by port and, where entries for that port name addresses, does
// one map look-up for each prefix length in use.
//
// An IPv4-mapped IPv6 address is the IPv4 address, in entries and in look-ups.
package addrports

package socket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/l4stat/l4stat/internal/kernel"
)

// Source is a place to read this host's sockets from. Its methods must not be
// called by two goroutines at once.
type Source interface {
	// Each calls fn for each socket that q asks for. The Socket is reused for
	// the next call; copy it to keep it. An error of fn ends the listing and
	// is returned as it is. When a table cannot be read, the others still
	// are, and the error is of type [TableErrors]. A [PortRange] without
	// ports is an error before anything is read.
	//
	// The kernel does not freeze its tables for a reader. A socket that exists
	// for the whole of the listing is given exactly once; one that opens, closes
	// or changes state meanwhile, once or not at all. The exceptions are in
	// docs/counts.md: where it is noticed that sockets may be missing,
	// Options.Warn is told.
	Each(ctx context.Context, q Query, fn func(*Socket) error) error
	// Close frees what the source holds open.
	Close() error
}

// Query says which sockets are wanted. The zero Query is all of them.
//
// Netlink has the kernel filter by state and port: it still passes over every
// socket of the tables, but one that is not wanted costs neither a message nor
// its decoding, which is more than half of what a socket costs. The other
// sources read everything and drop what is not wanted.
type Query struct {
	// Tables are read in the order given; none stands for all four. Netlink
	// reads both tables of TCP at once, where the first of them stands.
	Tables []Table
	// States keeps only TCP sockets in these states; empty is all. UDP sockets
	// are not filtered.
	States StateSet
	// LocalPorts and RemotePorts keep only sockets, of TCP and UDP, whose ports
	// are in these ranges; the zero range is every port. A socket without a
	// peer, a listener above all, has remote port 0.
	LocalPorts, RemotePorts PortRange
	// Details asks for more of each TCP socket. Netlink alone has any; with the
	// other sources, and with Auto where it falls back to procfs, Details of a
	// Socket stays nil.
	Details DetailSet
	// Bound adds TCP sockets that are bound but neither connected nor listening
	// (TCP_BOUND_INACTIVE), in StateClose. Netlink alone has them, since Linux 6.8;
	// earlier versions list none.
	Bound bool
}

func (q Query) tables() []Table {
	if len(q.Tables) == 0 {
		return tables[:]
	}
	return q.Tables
}

// check returns an error for a range without ports.
func (q Query) check() error {
	return errors.Join(q.LocalPorts.check("local"), q.RemotePorts.check("remote"))
}

// allPorts reports whether no socket is left out for its ports.
func (q Query) allPorts() bool { return q.LocalPorts.all() && q.RemotePorts.all() }

// wantsAll reports whether every socket of the tables is asked for.
func (q Query) wantsAll() bool { return q.States == 0 && q.allPorts() }

// wants reports whether s, of a table that was asked for, passes the states and
// the ports.
func (q Query) wants(s *Socket) bool {
	return (s.Protocol == UDP || q.States.Has(s.State)) &&
		q.LocalPorts.Has(s.Local.Port()) && q.RemotePorts.Has(s.Remote.Port())
}

// The kinds of source, as named in the configuration.
const (
	Auto     = "auto"
	Netlink  = "netlink"
	Procfs   = "procfs"
	Gopsutil = "gopsutil"
)

// openers are the kinds that this system has; see open_*.go.
type opener func(Options) Source

// Kinds lists the kinds of source that [Open] takes on this system.
func Kinds() []string {
	kinds := []string{}
	for _, k := range []string{Auto, Netlink, Procfs, Gopsutil} {
		if openers[k] != nil {
			kinds = append(kinds, k)
		}
	}
	return kinds
}

// Options change how a source reads. The zero Options are for the host that
// the program runs on.
type Options struct {
	// ProcRoot is where procfs is mounted; "" is $HOST_PROC, else /proc.
	ProcRoot string
	// Warn, if non-nil, is called once, when Auto falls back to procfs, and at
	// most once an hour when sockets may be missing from a listing.
	Warn func(message string)
}

func (o Options) host() kernel.Host {
	if o.ProcRoot != "" {
		return kernel.At(o.ProcRoot)
	}
	return kernel.This()
}

// Open makes a source of the kind, "" being Auto. It does not read yet: that
// the system refuses shows in the first Each.
func Open(kind string, o Options) (Source, error) {
	if kind == "" {
		kind = Auto
	}
	open := openers[kind]
	if open == nil {
		if slices.Contains([]string{Netlink, Procfs}, kind) {
			return nil, fmt.Errorf("source %q is for Linux only; use one of %s", kind, strings.Join(Kinds(), ", "))
		}
		return nil, fmt.Errorf("no source %q; use one of %s", kind, strings.Join(Kinds(), ", "))
	}
	return open(o), nil
}

package connstat

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/l4stat/l4stat/internal/nearest"
	"github.com/l4stat/l4stat/netstat/socket"
)

// Field is one thing that is said of a connection.
type Field struct {
	// Name is the field's name, in lower case.
	Name string
	// Help says what it is, and where it comes from.
	Help string
	// Width is that of the field's column. What is longer moves the rest of its
	// row to the right.
	Width int

	// Instead says what to ask for instead of a field of connstat that Linux has
	// nothing for; "" for all other fields. Such a field never has a value.
	Instead string

	number number // nil for a field that is text
	text   func(r *row, b []byte) []byte
	needs  socket.DetailSet
	// procfs tells that the field is there without needs as well.
	procfs bool
	lookup lookup
}

// lookup is what is to be found out beside what the kernel's dump has.
type lookup uint8

const (
	lookupOwner lookup = 1 << iota
	lookupCgroup
)

// row is a connection and what was looked up about it.
type row struct {
	*socket.Socket
	bound  bool // of the sockets that the kernel was asked for because they are bound
	owner  Owner
	cgroup string
}

const (
	basic = socket.WithDetails
	tcpi  = socket.WithDetails | socket.WithTCPInfo
)

var (
	basicFields = []Field{
		{Name: "laddr", Help: "the local IP address", Width: 22, procfs: true,
			text: func(r *row, b []byte) []byte { return appendAddr(b, r.Local.Addr()) }},
		{Name: "lport", Help: "the local TCP port", Width: 5, procfs: true,
			number: func(s *socket.Socket) (uint64, bool) { return uint64(s.Local.Port()), s.Local.Addr().IsValid() }},
		{Name: "raddr", Help: "the remote IP address", Width: 22, procfs: true,
			text: func(r *row, b []byte) []byte { return appendAddr(b, r.Remote.Addr()) }},
		{Name: "rport", Help: "the remote TCP port, 0 without a peer", Width: 5, procfs: true,
			number: func(s *socket.Socket) (uint64, bool) { return uint64(s.Remote.Port()), s.Remote.Addr().IsValid() }},
		{Name: "state", Help: "the TCP state", Width: 12, procfs: true,
			text: appendState},
	}
	// In the order of connstat's "all".
	connectionFields = []Field{
		{Name: "inbytes", Help: "data bytes received: tcpi_bytes_received, less one for the peer's FIN (Linux 4.1)", Width: 14, number: inBytes, needs: tcpi},
		{Name: "insegs", Help: "data segments received, duplicates included: tcpi_data_segs_in (Linux 4.6)", Width: 11, number: member(socket.InfoDataSegsIn), needs: tcpi},
		{Name: "inunorderbytes", Help: "data bytes received out of order; Linux does not keep it, inunordersegs it does", Width: 14, number: absent,
			Instead: "inunordersegs, which counts them in segments"},
		{Name: "inunordersegs", Help: "segments received out of order: tcpi_rcv_ooopack (Linux 5.4)", Width: 13, number: member(socket.InfoRcvOOOPack), needs: tcpi},
		{Name: "outbytes", Help: "data bytes sent, each once: tcpi_bytes_sent - tcpi_bytes_retrans (Linux 4.19), before that tcpi_bytes_acked", Width: 14, number: outBytes, needs: tcpi},
		{Name: "outsegs", Help: "data segments sent, less retranssegs: tcpi_data_segs_out (Linux 4.6)", Width: 11, number: outSegs, needs: tcpi},
		{Name: "retransbytes", Help: "data bytes sent again: tcpi_bytes_retrans (Linux 4.19)", Width: 12, number: member(socket.InfoBytesRetrans), needs: tcpi},
		{Name: "retranssegs", Help: "data segments sent again: 0 without retransbytes, else tcpi_total_retrans, SYN and FIN included", Width: 11, number: retransSegs, needs: tcpi},
		{Name: "suna", Help: "bytes sent and not acknowledged, a SYN or FIN counting as one: wqueue - tcpi_notsent_bytes (Linux 4.6)", Width: 10, number: unacked, needs: tcpi},
		{Name: "unsent", Help: "bytes in the send queue that were never sent: tcpi_notsent_bytes (Linux 4.6)", Width: 10, number: member(socket.InfoNotsentBytes), needs: tcpi},
		{Name: "swnd", Help: "the send window, which is the peer's receive window: tcpi_snd_wnd (Linux 5.4)", Width: 10, number: member(socket.InfoSndWnd), needs: tcpi},
		{Name: "cwnd", Help: "the congestion window: tcpi_snd_cwnd times tcpi_snd_mss", Width: 10, number: cwnd, needs: tcpi},
		{Name: "rwnd", Help: "the receive window last advertised: tcpi_rcv_wnd (Linux 6.2)", Width: 10, number: member(socket.InfoRcvWnd), needs: tcpi},
		{Name: "mss", Help: "the maximum segment size: tcpi_snd_mss", Width: 5, number: member(socket.InfoSndMSS), needs: tcpi},
		{Name: "rto", Help: "the retransmission time-out in milliseconds: tcpi_rto", Width: 7, number: rto, needs: tcpi},
		{Name: "rtt", Help: "the smoothed round-trip time in microseconds: tcpi_rtt", Width: 8, number: rtt, needs: tcpi},
		{Name: "rtts", Help: "the sum of round-trip samples; Linux does not keep it, rtt and minrtt it does", Width: 8, number: absent, Instead: insteadOfSamples},
		{Name: "rttc", Help: "the number of round-trip samples; Linux does not keep it, rtt and minrtt it does", Width: 8, number: absent, Instead: insteadOfSamples},
	}
	linuxFields = []Field{
		{Name: "minrtt", Help: "the least round-trip time of the last minutes, in microseconds: tcpi_min_rtt (Linux 4.6)", Width: 8, number: minRTT, needs: tcpi},
		{Name: "rttvar", Help: "the round-trip time's mean deviation, in microseconds: tcpi_rttvar", Width: 8, number: rttVar, needs: tcpi},
		{Name: "deliveryrate", Help: "bytes per second that lately reached the peer: tcpi_delivery_rate (Linux 4.9)", Width: 12, number: deliveryRate, needs: tcpi},
		{Name: "pacingrate", Help: "bytes per second that are sent at the most: tcpi_pacing_rate (Linux 3.15)", Width: 12, number: pacingRate, needs: tcpi},
		{Name: "lost", Help: "segments taken for lost at this instant: tcpi_lost", Width: 6, number: member(socket.InfoLost), needs: tcpi},
		{Name: "reordering", Help: "how many segments out of order are not taken for loss: tcpi_reordering", Width: 10, number: member(socket.InfoReordering), needs: tcpi},
		{Name: "cc", Help: "the congestion control algorithm: INET_DIAG_CONG", Width: 8, needs: basic | socket.WithCongestion,
			text: func(r *row, b []byte) []byte {
				if r.Details == nil {
					return b
				}
				return append(b, r.Details.Congestion.Bytes()...)
			}},
		{Name: "busytime", Help: "microseconds with data to send or unacknowledged: tcpi_busy_time (Linux 4.10)", Width: 12, number: member(socket.InfoBusyTime), needs: tcpi},
		{Name: "rwndlimited", Help: "of those, held up by the peer's window: tcpi_rwnd_limited (Linux 4.10)", Width: 12, number: member(socket.InfoRwndLimited), needs: tcpi},
		{Name: "sndbuflimited", Help: "of those, held up by the send buffer: tcpi_sndbuf_limited (Linux 4.10)", Width: 13, number: member(socket.InfoSndbufLimited), needs: tcpi},
		{Name: "rqueue", Help: "bytes received and not read, of a listener its accept queue: idiag_rqueue", Width: 10, needs: basic, procfs: true,
			number: ofSocket(func(s *socket.Socket) uint64 { return uint64(s.RecvQueue) })},
		{Name: "wqueue", Help: "bytes to send and not acknowledged, of a listener its backlog: idiag_wqueue", Width: 10, needs: basic, procfs: true,
			number: ofSocket(func(s *socket.Socket) uint64 { return uint64(s.SendQueue) })},
		{Name: "uid", Help: "the user who made the socket: idiag_uid", Width: 6, needs: basic, procfs: true,
			number: ofSocket(func(s *socket.Socket) uint64 { return uint64(s.UID) })},
		{Name: "inode", Help: "the socket's inode, which /proc/PID/fd has: idiag_inode", Width: 10, procfs: true,
			number: func(s *socket.Socket) (uint64, bool) { return s.Inode, s.Inode != 0 }},
		{Name: "cookie", Help: "the socket's cookie in hexadecimal, as sk: of ss -e: idiag_cookie", Width: 8, needs: basic, text: appendCookie},
		{Name: "pid", Help: "the process that holds the socket, of several the one that started first", Width: 7, procfs: true, lookup: lookupOwner,
			text: nil}, // a number, but not of the socket: see get
		{Name: "process", Help: "the name of that process, as in /proc/PID/stat", Width: 15, procfs: true, lookup: lookupOwner,
			text: func(r *row, b []byte) []byte { return append(b, r.owner.Name...) }},
		{Name: "cgroup", Help: "the cgroup v2 in which the socket was made: INET_DIAG_CGROUP_ID (Linux 5.8)", Width: 20, needs: basic, lookup: lookupCgroup,
			text: func(r *row, b []byte) []byte { return append(b, r.cgroup...) }},
	}
	// AllFields are the fields in the order of "all": connstat's, then Linux's own.
	AllFields = slices.Concat(basicFields, connectionFields, linuxFields)
)

const insteadOfSamples = "rtt, the smoothed round-trip time of now, and minrtt and rttvar"

// aliases are names that connstat elsewhere has for one of AllFields.
var aliases = map[string]string{"rxqueue": "rqueue"}

// BasicFields are what is said of a connection when nothing is asked for.
func BasicFields() []Field { return basicFields }

// absent is a field of connstat's that Linux has nothing for.
func absent(*socket.Socket) (uint64, bool) { return 0, false }

func appendState(r *row, b []byte) []byte {
	if r.bound && r.State == socket.StateClose {
		return append(b, bound...)
	}
	return append(b, stateName(r.State)...)
}

func appendCookie(r *row, b []byte) []byte {
	if mini(r.Socket) {
		return b
	}
	return strconv.AppendUint(b, r.Details.Cookie, 16)
}

// get gives the field's number of a connection.
func (f *Field) get(r *row) (uint64, bool) {
	if f.number != nil {
		return f.number(r.Socket)
	}
	return uint64(r.owner.PID), r.owner.PID != 0
}

// keptIn reports whether a kernel whose struct tcp_info has that size can have the
// field. It looks at a connection with something in each member, none of them what
// a kernel gives for unknown.
func (f *Field) keptIn(size int) bool {
	if f.needs&socket.WithTCPInfo == 0 || !f.isNumber() {
		return true
	}
	info := socket.NewTCPInfo(bytes.Repeat([]byte{1}, size))
	_, ok := f.number(&socket.Socket{State: socket.StateEstablished, Details: &socket.Details{Info: info}})
	return ok
}

// Number gives the field of a socket, where it is a number that the kernel's dump
// has; ok is false where there is none.
func (f *Field) Number(s *socket.Socket) (n uint64, ok bool) {
	if f.number == nil {
		return 0, false
	}
	return f.number(s)
}

// isNumber tells a field that is a number from one that is text.
func (f *Field) isNumber() bool { return f.text == nil }

// appendValue appends the field's value as text, and nothing where it has none.
func (f *Field) appendValue(b []byte, r *row) []byte {
	if !f.isNumber() {
		return f.text(r, b)
	}
	n, ok := f.get(r)
	if !ok {
		return b
	}
	return strconv.AppendUint(b, n, 10)
}

// FieldByName finds a field, in upper or lower case, by its name or by connstat's
// other name for it, which it then has.
func FieldByName(name string) (Field, error) {
	name = strings.ToLower(name)
	known := name
	if alias := aliases[name]; alias != "" {
		known = alias
	}
	for _, f := range AllFields {
		if f.Name == known {
			f.Name = name
			return f, nil
		}
	}
	return Field{}, fmt.Errorf("no field %q; %s", name, nearest.Remedy(name, names(AllFields)...))
}

// All stands for every field, where fields are named; see Options.All.
const All = "all"

// ParseFields reads names separated by commas, in upper or lower case. [All] is
// none of them.
func ParseFields(text string) ([]Field, error) {
	var fields []Field
	for name := range strings.SplitSeq(text, ",") {
		if strings.EqualFold(name, All) {
			return nil, errors.New("all is every field; give it alone")
		}
		f, err := FieldByName(name)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(fields, func(g Field) bool { return g.Name == f.Name }) {
			return nil, fmt.Errorf("the field %q is there twice", f.Name)
		}
		fields = append(fields, f)
	}
	return fields, nil
}

func names(fields []Field) []string {
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = f.Name
	}
	return names
}

func fieldNames(fields []Field) string { return strings.Join(names(fields), ", ") }

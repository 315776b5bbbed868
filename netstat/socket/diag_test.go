package socket

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"slices"
	"syscall"
	"testing"

	"github.com/l4stat/l4stat/internal/fakediag"
)

const testSeq = 7

// diagSockets are sockets as the kernel tells them, and as this package does.
var diagSockets = []struct {
	name string
	in   fakediag.Socket
	want Socket
}{
	{
		"IPv4 established",
		fakediag.Socket{Protocol: 6, State: 1, Local: netip.MustParseAddrPort("10.0.0.1:443"), Remote: netip.MustParseAddrPort("10.0.0.2:50000"), RecvQueue: 256, SendQueue: 36, UID: 33, Inode: 41003},
		Socket{Protocol: TCP, State: StateEstablished, Local: netip.MustParseAddrPort("10.0.0.1:443"), Remote: netip.MustParseAddrPort("10.0.0.2:50000"), RecvQueue: 256, SendQueue: 36, UID: 33, Inode: 41003},
	},
	{
		"IPv6 listener with its accept queue and backlog",
		fakediag.Socket{Protocol: 6, State: 10, Local: netip.MustParseAddrPort("[::]:80"), Remote: netip.MustParseAddrPort("[::]:0"), RecvQueue: 3, SendQueue: 4096, Inode: 42001},
		Socket{Protocol: TCP, State: StateListen, Local: netip.MustParseAddrPort("[::]:80"), Remote: netip.MustParseAddrPort("[::]:0"), RecvQueue: 3, SendQueue: 4096, Inode: 42001},
	},
	{
		"IPv4-mapped is IPv4",
		fakediag.Socket{Protocol: 6, State: 8, Local: netip.MustParseAddrPort("[::ffff:10.0.0.1]:80"), Remote: netip.MustParseAddrPort("[::ffff:10.0.0.2]:50000"), Inode: 42002},
		Socket{Protocol: TCP, State: StateCloseWait, Local: netip.MustParseAddrPort("10.0.0.1:80"), Remote: netip.MustParseAddrPort("10.0.0.2:50000"), Inode: 42002},
	},
	{
		"TIME_WAIT has no owner",
		fakediag.Socket{Protocol: 6, State: 6, Local: netip.MustParseAddrPort("10.0.0.1:80"), Remote: netip.MustParseAddrPort("10.0.0.2:50001")},
		Socket{Protocol: TCP, State: StateTimeWait, Local: netip.MustParseAddrPort("10.0.0.1:80"), Remote: netip.MustParseAddrPort("10.0.0.2:50001")},
	},
	{
		"TCP_NEW_SYN_RECV is SYN_RECV",
		fakediag.Socket{Protocol: 6, State: 12, Local: netip.MustParseAddrPort("10.0.0.1:80"), Remote: netip.MustParseAddrPort("10.0.0.2:50002")},
		Socket{Protocol: TCP, State: StateSynRecv, Local: netip.MustParseAddrPort("10.0.0.1:80"), Remote: netip.MustParseAddrPort("10.0.0.2:50002")},
	},
	{
		"a state of a later kernel",
		fakediag.Socket{Protocol: 6, State: 14, Local: netip.MustParseAddrPort("10.0.0.1:80"), Remote: netip.MustParseAddrPort("10.0.0.2:50003")},
		Socket{Protocol: TCP, State: StateNone, Local: netip.MustParseAddrPort("10.0.0.1:80"), Remote: netip.MustParseAddrPort("10.0.0.2:50003")},
	},
}

func TestDecodeDiag(t *testing.T) {
	for _, tt := range diagSockets {
		t.Run(tt.name, func(t *testing.T) {
			msg := fakediag.AppendMessage(nil, testSeq, &tt.in)
			s := Socket{PID: 1} // of the socket before
			var got []Socket
			done, err := decodeDiag(msg, testSeq, TCP, &s, func(s *Socket, _ uint64) error {
				got = append(got, *s)
				return nil
			})
			if done || err != nil {
				t.Fatalf("done %v, error %v", done, err)
			}
			if !slices.Equal(got, []Socket{tt.want}) {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

func TestDecodeDiagEnds(t *testing.T) {
	one := &diagSockets[0].in
	own := errors.New("enough")
	message := fakediag.AppendMessage(nil, testSeq, one)
	tests := []struct {
		name     string
		datagram []byte
		fn       error
		sockets  int
		done     bool
		err      error
	}{
		{"two sockets and the end", fakediag.AppendDone(fakediag.AppendMessage(slices.Clone(message), testSeq, one), testSeq, 0), nil, 2, true, nil},
		{"empty", nil, nil, 0, false, nil},
		{"an error at the end", fakediag.AppendDone(slices.Clone(message), testSeq, syscall.ENOENT), nil, 1, true, syscall.ENOENT},
		{"answers to another request", fakediag.AppendDone(fakediag.AppendMessage(nil, testSeq-1, one), testSeq-1, 0), nil, 0, false, nil},
		{"the caller has enough", fakediag.AppendMessage(slices.Clone(message), testSeq, one), own, 1, false, own},
		{"half a header", message[:8], nil, 0, false, errTruncated},
		{"half a message", message[:60], nil, 0, false, errTruncated},
		{"less than inet_diag_msg", shortened(message, 40), nil, 0, false, errTruncated},
		{"a length of nothing", shortened(message, 0), nil, 0, false, errTruncated},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := 0
			var s Socket
			done, err := decodeDiag(tt.datagram, testSeq, TCP, &s, func(*Socket, uint64) error {
				n++
				return tt.fn
			})
			if n != tt.sockets || done != tt.done || !errors.Is(err, tt.err) {
				t.Errorf("got %d sockets, done %v, error %v; want %d, %v, %v", n, done, err, tt.sockets, tt.done, tt.err)
			}
			if fromCaller := callerError(err); fromCaller != tt.fn {
				t.Errorf("the caller's error is %v, want %v", fromCaller, tt.fn)
			}
		})
	}
}

// shortened gives the message with another nlmsg_len.
func shortened(msg []byte, length uint32) []byte {
	msg = slices.Clone(msg)
	binary.NativeEndian.PutUint32(msg, length)
	return msg
}

func TestDecodeDiagFamily(t *testing.T) {
	msg := fakediag.AppendMessage(nil, testSeq, &diagSockets[0].in)
	msg[nlmsghdrLen] = 99
	var s Socket
	if _, err := decodeDiag(msg, testSeq, TCP, &s, func(*Socket, uint64) error { return nil }); err == nil {
		t.Error("a message of address family 99 is no error")
	}
}

func TestDiagRequest(t *testing.T) {
	tests := []struct {
		name             string
		table            Table
		states           StateSet
		family, protocol byte
		mask             uint32
	}{
		{"all of TCP over IPv4", TCP4, 0, 2, 6, 0x1ffe},
		{"all of UDP over IPv6", UDP6, 0, 10, 17, 0x1ffe},
		{"listeners", TCP6, States(StateListen), 10, 6, 1 << 10},
		{"SYN_RECV is in two of the kernel's states", TCP4, States(StateSynRecv), 2, 6, 1<<3 | 1<<12},
		{"states are TCP's", UDP4, States(StateListen), 2, 17, 0x1ffe},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := appendDiagRequest(nil, testSeq, []Table{tt.table}, Query{States: tt.states}, 0)
			if len(b) != 72 || binary.NativeEndian.Uint32(b) != 72 {
				t.Fatalf("%d bytes, nlmsg_len %d; want 72", len(b), binary.NativeEndian.Uint32(b))
			}
			if b[16] != tt.family || b[17] != tt.protocol || binary.NativeEndian.Uint32(b[20:]) != tt.mask {
				t.Errorf("family %d, protocol %d, states %#x; want %d, %d, %#x",
					b[16], b[17], binary.NativeEndian.Uint32(b[20:]), tt.family, tt.protocol, tt.mask)
			}
		})
	}
}

// TestDiagRequestBoth has the request for both tables of TCP, which is of another
// layout: struct inet_diag_req, with idiag_states at 52.
func TestDiagRequestBoth(t *testing.T) {
	for states, mask := range map[StateSet]uint32{0: 0x1ffe, States(StateListen): 1 << 10, States(StateSynRecv): 1<<3 | 1<<12} {
		b := appendDiagRequest(nil, testSeq, tcpTables, Query{States: states}, 0)
		if len(b) != 76 || binary.NativeEndian.Uint32(b) != 76 || binary.NativeEndian.Uint16(b[4:]) != 18 {
			t.Fatalf("%d bytes, nlmsg_len %d, nlmsg_type %d; want 76, 76, TCPDIAG_GETSOCK (18)",
				len(b), binary.NativeEndian.Uint32(b), binary.NativeEndian.Uint16(b[4:]))
		}
		if got := binary.NativeEndian.Uint32(b[16+52:]); got != mask {
			t.Errorf("states %#x, want %#x", got, mask)
		}
	}
}

func FuzzDecodeDiag(f *testing.F) {
	for _, tt := range diagSockets {
		msg := fakediag.AppendMessage(nil, testSeq, &tt.in)
		f.Add(msg)
		f.Add(fakediag.AppendDone(msg, testSeq, 0))
	}
	f.Add(fakediag.AppendDone(nil, testSeq, syscall.EPERM))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Socket
		n := 0
		_, err := decodeDiag(b, testSeq, TCP, &s, func(s *Socket, _ uint64) error {
			n++
			if int(s.State) >= NumStates || s.Local.Addr().Is4In6() || !s.Local.Addr().IsValid() {
				t.Errorf("impossible socket %+v", s)
			}
			return nil
		})
		if n*(nlmsghdrLen+diagMsgLen) > len(b)+3 {
			t.Errorf("%d sockets from %d bytes (error %v)", n, len(b), err)
		}
	})
}

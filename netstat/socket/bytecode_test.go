package socket

import (
	"bytes"
	"encoding/binary"
	"slices"
	"testing"
)

// u16 is a number as most of the kernel's structures have it.
func u16(n uint16) []byte { return binary.NativeEndian.AppendUint16(nil, n) }

// TestPortFilter has the attribute byte by byte: nla_len and nla_type, and for
// each comparison code, yes, no, and the port as the field no of an operator
// that is otherwise empty. A comparison that is false must go 4 bytes beyond
// the end, however much is left of the program.
func TestPortFilter(t *testing.T) {
	const sGE, sLE, dGE, dLE = 2, 3, 4, 5
	tests := []struct {
		name          string
		local, remote PortRange
		want          [][]byte
	}{
		{"every port", PortRange{}, PortRange{}, nil},
		{"every port, spelt out", PortRange{0, 65535}, PortRange{0, 65535}, nil},
		{"one local port", Port(443), PortRange{}, [][]byte{
			u16(4 + 16), u16(1),
			{sGE, 8}, u16(16 + 4), {0, 0}, u16(443),
			{sLE, 8}, u16(8 + 4), {0, 0}, u16(443),
		}},
		{"a range of remote ports", PortRange{}, PortRange{8000, 8010}, [][]byte{
			u16(4 + 16), u16(1),
			{dGE, 8}, u16(16 + 4), {0, 0}, u16(8000),
			{dLE, 8}, u16(8 + 4), {0, 0}, u16(8010),
		}},
		{"both", PortRange{32768, 60999}, Port(443), [][]byte{
			u16(4 + 32), u16(1),
			{sGE, 8}, u16(32 + 4), {0, 0}, u16(32768),
			{sLE, 8}, u16(24 + 4), {0, 0}, u16(60999),
			{dGE, 8}, u16(16 + 4), {0, 0}, u16(443),
			{dLE, 8}, u16(8 + 4), {0, 0}, u16(443),
		}},
		{"nothing is below port 0", PortRange{0, 1023}, PortRange{}, [][]byte{
			u16(4 + 8), u16(1),
			{sLE, 8}, u16(8 + 4), {0, 0}, u16(1023),
		}},
		{"nothing is above port 65535", PortRange{}, Port(65535), [][]byte{
			u16(4 + 8), u16(1),
			{dGE, 8}, u16(8 + 4), {0, 0}, u16(65535),
		}},
		{"with a peer, from a port that needs privilege", PortRange{0, 1023}, PortRange{1, 65535}, [][]byte{
			u16(4 + 16), u16(1),
			{sLE, 8}, u16(16 + 4), {0, 0}, u16(1023),
			{dGE, 8}, u16(8 + 4), {0, 0}, u16(1),
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := []byte("what is there already")
			got, ok := bytes.CutPrefix(appendPortFilter(slices.Clone(before), tt.local, tt.remote), before)
			if want := slices.Concat(tt.want...); !ok || !bytes.Equal(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
		})
	}
}

// TestDiagRequestFilter has the attribute end the request, and count in its
// length.
func TestDiagRequestFilter(t *testing.T) {
	for name, tables := range map[string][]Table{"one table": {TCP6}, "both of TCP": tcpTables} {
		t.Run(name, func(t *testing.T) {
			q := Query{States: States(StateListen)}
			without := appendDiagRequest(nil, testSeq, tables, q, 0)
			q.LocalPorts = Port(80)
			with := appendDiagRequest(nil, testSeq, tables, q, 0)
			bare := len(without)
			if n := binary.NativeEndian.Uint32(with); len(with) != bare+20 || int(n) != len(with) {
				t.Fatalf("%d bytes, nlmsg_len %d; want %d", len(with), n, bare+20)
			}
			if !bytes.Equal(with[4:bare], without[4:]) {
				t.Errorf("with a filter the request itself is\n%v, without\n%v", with[4:bare], without[4:])
			}
			if want := appendPortFilter(nil, Port(80), PortRange{}); !bytes.Equal(with[bare:], want) {
				t.Errorf("the request ends in %v, want %v", with[bare:], want)
			}
		})
	}
}

// filtered is a request with the longest filter.
var filtered = Query{LocalPorts: PortRange{1024, 49151}, RemotePorts: PortRange{8000, 8010}}

// TestDiagRequestAllocations shows that a request costs no allocation when the
// buffer of the one before is at hand.
func TestDiagRequestAllocations(t *testing.T) {
	b := appendDiagRequest(nil, testSeq, tcpTables, filtered, 0)
	if n := testing.AllocsPerRun(100, func() { b = appendDiagRequest(b[:0], testSeq, tcpTables, filtered, 0) }); n != 0 {
		t.Errorf("a request allocates %v times", n)
	}
}

func BenchmarkDiagRequest(b *testing.B) {
	var req []byte
	b.ReportAllocs()
	for b.Loop() {
		req = appendDiagRequest(req[:0], testSeq, tcpTables, filtered, 0)
	}
}

package socket

import (
	"context"
	"encoding/binary"
	"testing"

	"github.com/l4stat/l4stat/internal/fakediag"
)

// fakeInfo is a tcp_info of n bytes, each word of 4 bytes its own number.
func fakeInfo(n int) []byte {
	b := make([]byte, 0, n)
	for i := range n / 4 {
		b = binary.NativeEndian.AppendUint32(b, uint32(i))
	}
	return b
}

// TestTCPInfoLengths has the tcp_info of kernels of different ages: what a kernel
// does not have is unset.
func TestTCPInfoLengths(t *testing.T) {
	tests := []struct {
		kernel string
		length int
		last   TCPMember // that it has
		first  TCPMember // that it does not have
	}{
		{"2.6", 104, InfoTotalRetrans, InfoPacingRate},
		{"3.15", 120, InfoMaxPacingRate, InfoBytesAcked},
		{"4.1", 136, InfoBytesReceived, InfoSegsOut},
		{"4.2", 144, InfoSegsIn, InfoNotsentBytes},
		{"4.6", 160, InfoDataSegsOut, InfoDeliveryRate},
		{"4.9", 168, InfoDeliveryRate, InfoBusyTime},
		{"4.10", 192, InfoSndbufLimited, InfoDelivered},
		{"4.18", 200, InfoDeliveredCE, InfoBytesSent},
		{"4.19", 224, InfoReordSeen, InfoRcvOOOPack},
		{"5.4", 232, InfoSndWnd, InfoRcvWnd},
		{"6.2", 240, InfoRehash, InfoTotalRTOTime},
		{"6.7", 248, InfoTotalRTOTime, 0},
		{"a later one", 400, InfoTotalRTOTime, 0},
		{"half of a member", 230, InfoRcvOOOPack, InfoSndWnd},
	}
	for _, tt := range tests {
		t.Run(tt.kernel, func(t *testing.T) {
			sock := diagSockets[0].in
			sock.Extensions = map[uint16][]byte{diagInfo: fakeInfo(400)[:tt.length]}
			d := decodeOne(t, &sock)
			if !d.Info.Known() {
				t.Error("there is no tcp_info")
			}
			if _, ok := d.Info.Get(tt.last); !ok {
				t.Errorf("the member at %d is not there", tt.last&^size8)
			}
			if v, ok := d.Info.Get(tt.first); tt.first != 0 && (ok || v != 0) {
				t.Errorf("the member at %d is there: %d", tt.first&^size8, v)
			}
		})
	}
}

// decodeOne decodes the message of one socket with its details.
func decodeOne(t *testing.T, sock *fakediag.Socket) Details {
	t.Helper()
	d := Details{CgroupID: 99, Info: TCPInfo{n: 99}} // of the socket before
	s := Socket{Details: &d}
	n := 0
	_, err := decodeDiag(fakediag.AppendMessage(nil, testSeq, sock), testSeq, TCP, &s, func(s *Socket, _ uint64) error {
		n++
		return nil
	})
	if n != 1 || err != nil {
		t.Fatalf("%d sockets, error %v", n, err)
	}
	return d
}

func TestDecodeDetails(t *testing.T) {
	sock := diagSockets[0].in
	sock.CgroupID = 1<<40 + 7
	sock.Inode = 1<<32 - 1 // which makes a cookie of more than 32 bits
	sock.Extensions = map[uint16][]byte{
		diagInfo:      fakeInfo(248),
		diagCong:      []byte("cubic\x00"),
		diagSkMemInfo: fakeInfo(36),
		99:            []byte("of a later kernel"),
	}
	d := decodeOne(t, &sock)
	if d.Mini || d.Cookie != uint64(sock.Inode)<<1 || d.CgroupID != sock.CgroupID || d.Congestion.String() != "cubic" {
		t.Errorf("got mini %v, cookie %d, cgroup %d, %q", d.Mini, d.Cookie, d.CgroupID, d.Congestion.String())
	}
	for m, want := range map[TCPMember]uint64{
		InfoRTO: 2, InfoRTT: 17, InfoTotalRetrans: 25,
		InfoBytesSent: binary.NativeEndian.Uint64(fakeInfo(248)[200:]),
		InfoRcvWnd:    58, InfoTotalRTOTime: 61,
	} {
		if v, ok := d.Info.Get(m); !ok || v != want {
			t.Errorf("the member at %d is %d, %v; want %d", m&^size8, v, ok, want)
		}
	}
	for m := range MemoryValue(memoryValues) {
		if v, ok := d.Memory.Get(m); !ok || v != uint32(m) {
			t.Errorf("memory value %d is %d, %v", m, v, ok)
		}
	}

	// The kernel's lengths of attributes differ by its age, and by the name.
	sock.Extensions = map[uint16][]byte{diagCong: []byte("sixteen letters!"), diagSkMemInfo: fakeInfo(28)}
	d = decodeOne(t, &sock)
	if _, ok := d.Memory.Get(MemoryBacklog); ok || d.Info.Known() || d.Congestion.String() != "sixteen letters!" {
		t.Errorf("got backlog %v, info %v, %q", ok, d.Info.Known(), d.Congestion.String())
	}
	if v, ok := d.Memory.Get(MemoryOptions); !ok || v != 6 {
		t.Errorf("memory value 6 is %d, %v", v, ok)
	}

	mini := diagSockets[3].in // TIME_WAIT
	d = decodeOne(t, &mini)
	if !d.Mini || d.CgroupID != 0 || d.Info.Known() || len(d.Congestion.Bytes()) != 0 {
		t.Errorf("TIME_WAIT has %+v", d)
	}
}

// TestDecodeDetailsTruncated has attributes that are cut off, by a kernel that
// never does.
func TestDecodeDetailsTruncated(t *testing.T) {
	msg := fakediag.AppendMessage(nil, testSeq, &diagSockets[0].in)
	for _, length := range []uint16{0, 3, 5000} {
		broken := append([]byte(nil), msg...)
		binary.NativeEndian.PutUint16(broken[nlmsghdrLen+diagMsgLen:], length)
		s := Socket{Details: new(Details)}
		if _, err := decodeDiag(broken, testSeq, TCP, &s, func(*Socket, uint64) error { return nil }); err == nil {
			t.Errorf("an attribute of %d bytes is no error", length)
		}
		s.Details = nil
		if _, err := decodeDiag(broken, testSeq, TCP, &s, func(*Socket, uint64) error { return nil }); err != nil {
			t.Errorf("nobody asked for attributes, but %v", err)
		}
	}
}

func TestDiagRequestDetails(t *testing.T) {
	tests := []struct {
		details DetailSet
		ext     byte
	}{
		{0, 0},
		{WithDetails, 0},
		{WithTCPInfo, 1 << 1},
		{WithCongestion, 1 << 3},
		{WithMemory, 1 << 6},
		{WithTCPInfo | WithCongestion | WithMemory, 1<<1 | 1<<3 | 1<<6},
	}
	for _, tt := range tests {
		q := Query{Details: tt.details, Bound: true}
		v2 := appendDiagRequest(nil, testSeq, []Table{TCP4}, q, 0)
		if v2[16+2] != tt.ext || binary.NativeEndian.Uint32(v2[16+4:]) != 0x3ffe {
			t.Errorf("%b: idiag_ext of inet_diag_req_v2 is %b, want %b", tt.details, v2[16+2], tt.ext)
		}
		v1 := appendDiagRequest(nil, testSeq, tcpTables, q, 0)
		if v1[16+3] != tt.ext || binary.NativeEndian.Uint32(v1[16+52:]) != 0x3ffe {
			t.Errorf("%b: idiag_ext of inet_diag_req is %b, want %b", tt.details, v1[16+3], tt.ext)
		}
		if udp := appendDiagRequest(nil, testSeq, []Table{UDP4}, q, 0); udp[16+2] != 0 || binary.NativeEndian.Uint32(udp[16+4:]) != 0x1ffe {
			t.Errorf("%b: details are asked for of UDP", tt.details)
		}
	}
}

// TestDetailsAllocations shows that details cost no allocation for a socket, and
// are there for TCP alone.
func TestDetailsAllocations(t *testing.T) {
	sockets := fakeSockets(5000)
	for i := range sockets {
		sockets[i].Extensions = map[uint16][]byte{diagInfo: fakeInfo(248), diagCong: []byte("cubic\x00")}
	}
	src := fakeNetlink(fakediag.New(sockets))
	ctx, q := context.Background(), Query{Details: WithTCPInfo | WithCongestion}
	with, without := 0, 0
	count := func(s *Socket) error {
		switch {
		case s.Details == nil:
			without++
		case s.Details.Info.Known():
			with++
		}
		return nil
	}
	if err := src.Each(ctx, q, count); err != nil || with != 5000 || without != 1 {
		t.Fatalf("%d sockets with a tcp_info and %d without details, error %v; want 5000 and 1", with, without, err)
	}
	few := testing.AllocsPerRun(5, func() { _ = fakeNetlink(fakediag.New(sockets[:1])).Each(ctx, q, count) })
	if allocs := testing.AllocsPerRun(5, func() { _ = src.Each(ctx, q, count) }); allocs > few+10 {
		t.Errorf("5000 sockets cost %v allocations", allocs)
	}
	with, without = 0, 0
	if err := src.Each(ctx, Query{}, count); err != nil || with != 0 || without != 5001 {
		t.Errorf("unasked, %d sockets have details, error %v", with, err)
	}
}

func FuzzDecodeDetails(f *testing.F) {
	sock := diagSockets[0].in
	f.Add(fakediag.AppendMessage(nil, testSeq, &sock))
	sock.Extensions = map[uint16][]byte{diagInfo: fakeInfo(248), diagCong: []byte("cubic\x00"), diagSkMemInfo: fakeInfo(36)}
	f.Add(fakediag.AppendMessage(nil, testSeq, &sock))
	f.Add(fakediag.AppendMessage(nil, testSeq, &diagSockets[3].in))
	f.Fuzz(func(t *testing.T, b []byte) {
		s := Socket{Details: new(Details)}
		_, _ = decodeDiag(b, testSeq, TCP, &s, func(s *Socket, _ uint64) error {
			d := s.Details
			for m := TCPMember(0); m < 512; m += 4 {
				if _, ok := d.Info.Get(m | size8); ok && int(m) >= len(b) {
					t.Errorf("a member at %d of %d bytes", m, len(b))
				}
				d.Info.Get(m)
			}
			_ = d.Congestion.String()
			if _, ok := d.Memory.Get(MemoryDrops + 1); ok {
				t.Error("a memory value that does not exist")
			}
			return nil
		})
	})
}

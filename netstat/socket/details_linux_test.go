package socket

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/internal/testhost"
)

// TestTCPMembers compares offsets and sizes with those that the kernel's header
// gave another package.
func TestTCPMembers(t *testing.T) {
	var i unix.TCPInfo
	for m, want := range map[TCPMember][2]uintptr{
		InfoRTO:           {unsafe.Offsetof(i.Rto), unsafe.Sizeof(i.Rto)},
		InfoATO:           {unsafe.Offsetof(i.Ato), unsafe.Sizeof(i.Ato)},
		InfoSndMSS:        {unsafe.Offsetof(i.Snd_mss), unsafe.Sizeof(i.Snd_mss)},
		InfoRcvMSS:        {unsafe.Offsetof(i.Rcv_mss), unsafe.Sizeof(i.Rcv_mss)},
		InfoUnacked:       {unsafe.Offsetof(i.Unacked), unsafe.Sizeof(i.Unacked)},
		InfoSacked:        {unsafe.Offsetof(i.Sacked), unsafe.Sizeof(i.Sacked)},
		InfoLost:          {unsafe.Offsetof(i.Lost), unsafe.Sizeof(i.Lost)},
		InfoRetrans:       {unsafe.Offsetof(i.Retrans), unsafe.Sizeof(i.Retrans)},
		InfoLastDataSent:  {unsafe.Offsetof(i.Last_data_sent), unsafe.Sizeof(i.Last_data_sent)},
		InfoLastDataRecv:  {unsafe.Offsetof(i.Last_data_recv), unsafe.Sizeof(i.Last_data_recv)},
		InfoLastAckRecv:   {unsafe.Offsetof(i.Last_ack_recv), unsafe.Sizeof(i.Last_ack_recv)},
		InfoPMTU:          {unsafe.Offsetof(i.Pmtu), unsafe.Sizeof(i.Pmtu)},
		InfoRcvSSThresh:   {unsafe.Offsetof(i.Rcv_ssthresh), unsafe.Sizeof(i.Rcv_ssthresh)},
		InfoRTT:           {unsafe.Offsetof(i.Rtt), unsafe.Sizeof(i.Rtt)},
		InfoRTTVar:        {unsafe.Offsetof(i.Rttvar), unsafe.Sizeof(i.Rttvar)},
		InfoSndSSThresh:   {unsafe.Offsetof(i.Snd_ssthresh), unsafe.Sizeof(i.Snd_ssthresh)},
		InfoSndCwnd:       {unsafe.Offsetof(i.Snd_cwnd), unsafe.Sizeof(i.Snd_cwnd)},
		InfoAdvMSS:        {unsafe.Offsetof(i.Advmss), unsafe.Sizeof(i.Advmss)},
		InfoReordering:    {unsafe.Offsetof(i.Reordering), unsafe.Sizeof(i.Reordering)},
		InfoRcvRTT:        {unsafe.Offsetof(i.Rcv_rtt), unsafe.Sizeof(i.Rcv_rtt)},
		InfoRcvSpace:      {unsafe.Offsetof(i.Rcv_space), unsafe.Sizeof(i.Rcv_space)},
		InfoTotalRetrans:  {unsafe.Offsetof(i.Total_retrans), unsafe.Sizeof(i.Total_retrans)},
		InfoPacingRate:    {unsafe.Offsetof(i.Pacing_rate), unsafe.Sizeof(i.Pacing_rate)},
		InfoMaxPacingRate: {unsafe.Offsetof(i.Max_pacing_rate), unsafe.Sizeof(i.Max_pacing_rate)},
		InfoBytesAcked:    {unsafe.Offsetof(i.Bytes_acked), unsafe.Sizeof(i.Bytes_acked)},
		InfoBytesReceived: {unsafe.Offsetof(i.Bytes_received), unsafe.Sizeof(i.Bytes_received)},
		InfoSegsOut:       {unsafe.Offsetof(i.Segs_out), unsafe.Sizeof(i.Segs_out)},
		InfoSegsIn:        {unsafe.Offsetof(i.Segs_in), unsafe.Sizeof(i.Segs_in)},
		InfoNotsentBytes:  {unsafe.Offsetof(i.Notsent_bytes), unsafe.Sizeof(i.Notsent_bytes)},
		InfoMinRTT:        {unsafe.Offsetof(i.Min_rtt), unsafe.Sizeof(i.Min_rtt)},
		InfoDataSegsIn:    {unsafe.Offsetof(i.Data_segs_in), unsafe.Sizeof(i.Data_segs_in)},
		InfoDataSegsOut:   {unsafe.Offsetof(i.Data_segs_out), unsafe.Sizeof(i.Data_segs_out)},
		InfoDeliveryRate:  {unsafe.Offsetof(i.Delivery_rate), unsafe.Sizeof(i.Delivery_rate)},
		InfoBusyTime:      {unsafe.Offsetof(i.Busy_time), unsafe.Sizeof(i.Busy_time)},
		InfoRwndLimited:   {unsafe.Offsetof(i.Rwnd_limited), unsafe.Sizeof(i.Rwnd_limited)},
		InfoSndbufLimited: {unsafe.Offsetof(i.Sndbuf_limited), unsafe.Sizeof(i.Sndbuf_limited)},
		InfoDelivered:     {unsafe.Offsetof(i.Delivered), unsafe.Sizeof(i.Delivered)},
		InfoDeliveredCE:   {unsafe.Offsetof(i.Delivered_ce), unsafe.Sizeof(i.Delivered_ce)},
		InfoBytesSent:     {unsafe.Offsetof(i.Bytes_sent), unsafe.Sizeof(i.Bytes_sent)},
		InfoBytesRetrans:  {unsafe.Offsetof(i.Bytes_retrans), unsafe.Sizeof(i.Bytes_retrans)},
		InfoDSACKDups:     {unsafe.Offsetof(i.Dsack_dups), unsafe.Sizeof(i.Dsack_dups)},
		InfoReordSeen:     {unsafe.Offsetof(i.Reord_seen), unsafe.Sizeof(i.Reord_seen)},
		InfoRcvOOOPack:    {unsafe.Offsetof(i.Rcv_ooopack), unsafe.Sizeof(i.Rcv_ooopack)},
		InfoSndWnd:        {unsafe.Offsetof(i.Snd_wnd), unsafe.Sizeof(i.Snd_wnd)},
		InfoRcvWnd:        {unsafe.Offsetof(i.Rcv_wnd), unsafe.Sizeof(i.Rcv_wnd)},
		InfoRehash:        {unsafe.Offsetof(i.Rehash), unsafe.Sizeof(i.Rehash)},
		InfoTotalRTOTime:  {unsafe.Offsetof(i.Total_rto_time), unsafe.Sizeof(i.Total_rto_time)},
	} {
		size := uintptr(4)
		if m&size8 != 0 {
			size = 8
		}
		if uintptr(m&^size8) != want[0] || size != want[1] {
			t.Errorf("the member at %d has %d bytes; in the header it has %d at %d", m&^size8, size, want[1], want[0])
		}
	}
}

// TestDetailsKernel has the details of real sockets in every state.
func TestDetailsKernel(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	var made []*testhost.Sock
	for i, v := range []testhost.Version{testhost.IPv4, testhost.IPv6, testhost.Mapped} {
		made = append(made, h.EveryState(v, 80+uint16(i))...)
	}
	bound := h.Bound(testhost.IPv4, 90)
	h.UDP(testhost.IPv4, netip.Addr{}, 53, false)

	type key struct {
		state         State
		local, remote netip.AddrPort
		inode         uint64
	}
	want := map[key]*testhost.Sock{}
	for _, s := range made {
		state, _ := ParseState(string(s.State))
		want[key{state, s.Local, s.Remote, s.Inode}] = s
	}
	src := NewNetlink(dialer(kernel.This()))
	t.Cleanup(func() {
		if err := src.Close(); err != nil {
			t.Error(err)
		}
	})
	for name, tables := range map[string][]Table{"both tables": nil, "one by one": {TCP6}} {
		t.Run(name, func(t *testing.T) {
			lists := [][]Table{tables}
			if tables != nil {
				lists = append(lists, []Table{TCP4})
			}
			seen := 0
			for _, tables := range lists {
				q := Query{Tables: tables, Details: WithTCPInfo | WithMemory | WithCongestion}
				err := src.Each(context.Background(), q, func(s *Socket) error {
					if s.Protocol == UDP {
						if s.Details != nil {
							t.Error("a UDP socket has details")
						}
						return nil
					}
					made := want[key{s.State, s.Local, s.Remote, s.Inode}]
					if made == nil {
						t.Errorf("there is no %+v", s)
						return nil
					}
					seen++
					checkDetails(t, s)
					return nil
				})
				if err != nil {
					t.Fatal(err)
				}
			}
			if seen != len(made) {
				t.Errorf("%d of %d sockets are listed", seen, len(made))
			}
		})
	}
	found := 0
	err := src.Each(context.Background(), Query{Bound: true, States: States(StateClose)}, func(s *Socket) error {
		if s.Protocol == TCP {
			if s.State != StateClose || s.Local != bound.Local || s.Inode != bound.Inode {
				t.Errorf("of sockets that are bound alone there is %+v", s)
			}
			found++
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found > 1 || found == 0 && kernelAtLeast(t, 6, 8) {
		t.Errorf("%d sockets are bound alone, want 1", found)
	}
}

// checkDetails checks what must be known of a socket in its state.
func checkDetails(t *testing.T, s *Socket) {
	t.Helper()
	d := s.Details
	if d.Cookie == 0 {
		t.Errorf("%v %v has no cookie", s.State, s.Remote)
	}
	mini := s.State == StateTimeWait || s.State == StateSynRecv || s.State == StateFinWait2 && s.Inode == 0
	_, memory := d.Memory.Get(MemoryOptions)
	if d.Mini != mini || d.Info.Known() == mini || memory == mini || (len(d.Congestion.Bytes()) > 0) == mini {
		t.Errorf("%v %v: mini %v, tcp_info %v, memory %v, %q", s.State, s.Remote, d.Mini, d.Info.Known(), memory, d.Congestion.String())
	}
	if s.State != StateEstablished {
		return
	}
	if rtt, ok := d.Info.Get(InfoRTT); !ok || rtt == 0 || rtt > 60e6 {
		t.Errorf("an rtt of %d, %v", rtt, ok)
	}
	if wnd, ok := d.Info.Get(InfoSndWnd); ok && wnd != 1<<15-1 { // which is what the peer sends
		t.Errorf("the peer's window is %d", wnd)
	}
}

// kernelAtLeast compares with the running kernel.
func kernelAtLeast(t *testing.T, major, minor int) bool {
	t.Helper()
	var u unix.Utsname
	if err := unix.Uname(&u); err != nil {
		t.Fatal(err)
	}
	var a, b int
	if _, err := fmt.Sscanf(unix.ByteSliceToString(u.Release[:]), "%d.%d", &a, &b); err != nil {
		t.Fatal(err)
	}
	return a > major || a == major && b >= minor
}

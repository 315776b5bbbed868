package socket_test

import (
	"context"
	"net/netip"
	"testing"

	"github.com/l4stat/l4stat/internal/testhost"
	"github.com/l4stat/l4stat/netstat/socket"
)

// TestTCPInfoSize has as many members by TCPInfoSize as sock_diag gives.
func TestTCPInfoSize(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	testhost.New(t).Listen(testhost.IPv4, netip.Addr{}, 80)
	size, err := socket.TCPInfoSize()
	if err != nil {
		t.Fatal(err)
	}
	kept := socket.NewTCPInfo(make([]byte, size))
	source, err := socket.Open(socket.Netlink, socket.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer source.Close()
	n := 0
	err = source.Each(context.Background(), socket.Query{Tables: []socket.Table{socket.TCP4}, Details: socket.WithDetails | socket.WithTCPInfo}, func(s *socket.Socket) error {
		n++
		for _, m := range []socket.TCPMember{socket.InfoRTO, socket.InfoPacingRate, socket.InfoBytesReceived, socket.InfoDataSegsIn,
			socket.InfoBusyTime, socket.InfoBytesSent, socket.InfoRcvOOOPack, socket.InfoRcvWnd, socket.InfoTotalRTOTime} {
			_, has := s.Details.Info.Get(m)
			if _, want := kept.Get(m); has != want {
				t.Errorf("the member at %d is there: %v by sock_diag, %v by its size %d", m&^(1<<15), has, want, size)
			}
		}
		return nil
	})
	if err != nil || n == 0 {
		t.Fatalf("%d sockets, error %v", n, err)
	}
}

package socket_test

import (
	"context"
	"fmt"
	"log"

	"github.com/l4stat/l4stat/netstat/socket"
)

// A program lists who listens, and how full the accept queues are.
func Example() {
	src, err := socket.Open(socket.Auto, socket.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer src.Close()
	listeners := socket.Query{
		Tables: []socket.Table{socket.TCP4, socket.TCP6},
		States: socket.States(socket.StateListen),
	}
	err = src.Each(context.Background(), listeners, func(s *socket.Socket) error {
		fmt.Println(s.Local, "uid", s.UID, "waiting to be accepted:", s.RecvQueue)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
}

// A program lists the connections to its port 443. The kernel picks them out:
// what else there is does not reach the program.
func ExampleQuery() {
	src, err := socket.Open(socket.Auto, socket.Options{})
	if err != nil {
		log.Fatal(err)
	}
	defer src.Close()
	connections := socket.Query{
		Tables:      []socket.Table{socket.TCP4, socket.TCP6},
		LocalPorts:  socket.Port(443),
		RemotePorts: socket.PortRange{First: 1, Last: 65535}, // listeners have port 0 there
	}
	err = src.Each(context.Background(), connections, func(s *socket.Socket) error {
		fmt.Println(s.Remote, s.State, "to read:", s.RecvQueue, "to send:", s.SendQueue)
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
}

// A program asks for the round-trip times of its connections, which the kernel
// measures anyway, and for what it had to send again.
func ExampleTCPInfo() {
	src, err := socket.Open(socket.Netlink, socket.Options{}) // the one that has details
	if err != nil {
		log.Fatal(err)
	}
	defer src.Close()
	connections := socket.Query{
		Tables:  []socket.Table{socket.TCP4, socket.TCP6},
		States:  socket.States(socket.StateEstablished),
		Details: socket.WithTCPInfo,
	}
	err = src.Each(context.Background(), connections, func(s *socket.Socket) error {
		info := &s.Details.Info
		rtt, _ := info.Get(socket.InfoRTT)
		if again, ok := info.Get(socket.InfoBytesRetrans); ok { // since Linux 4.19
			fmt.Println(s.Remote, rtt, "µs,", again, "bytes sent again")
		}
		return nil
	})
	if err != nil {
		log.Fatal(err)
	}
}

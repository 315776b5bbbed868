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

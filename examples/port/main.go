// Port lists the sockets, of TCP and UDP, that have the local port it is given.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"strconv"

	"github.com/l4stat/l4stat/netstat/socket"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: port NUMBER")
	}
	port, err := strconv.ParseUint(os.Args[1], 10, 16)
	if err != nil {
		log.Fatalf("port %q: give a number from 1 to 65535", os.Args[1])
	}
	if err := run(uint16(port)); err != nil {
		log.Fatal(err)
	}
}

func run(port uint16) error {
	source, err := socket.Open(socket.Auto, socket.Options{Warn: func(message string) { log.Print("warning: ", message) }})
	if err != nil {
		return err
	}
	defer source.Close()
	query := socket.Query{LocalPorts: socket.Port(port)}
	return source.Each(context.Background(), query, func(s *socket.Socket) error {
		_, err := fmt.Println(s.Protocol, s.Local, s.Remote, s.State) // s is reused for the next socket
		return err
	})
}

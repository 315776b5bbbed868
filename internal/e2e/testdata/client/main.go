// Client connects from an address to another, sends something, says who it is,
// and ends with its standard input.
package main

import (
	"fmt"
	"io"
	"net"
	"os"
)

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(from, to string) error {
	local, err := net.ResolveTCPAddr("tcp4", from)
	if err != nil {
		return err
	}
	dialer := net.Dialer{LocalAddr: local}
	conn, err := dialer.Dial("tcp4", to)
	if err != nil {
		return err
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("hello")); err != nil {
		return err
	}
	fmt.Println(os.Getpid())
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

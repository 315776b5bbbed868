package netstat_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/load"
)

// listenMarker is the environment variable that makes the test binary a server
// instead, so that tests have sockets of other processes.
const listenMarker = "L4STAT_TEST_LISTEN"

func TestMain(m *testing.M) {
	if load.Main() {
		return
	}
	if what := os.Getenv(listenMarker); what != "" {
		if err := serve(what); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// serve listens until standard input ends, which happens at the latest when the
// test does. what is "tcp ADDRESS", "udp ADDRESS" or "fork ADDRESS"; the last
// shares its listener with a child and writes the child's pid.
func serve(what string) error {
	network, address, _ := strings.Cut(what, " ")
	ready := "ready"
	switch network {
	case "inherited": // as the child of fork: the listener is descriptor 3
	case "udp":
		conn, err := net.ListenPacket(network, address)
		if err != nil {
			return err
		}
		defer conn.Close()
	default:
		l, err := net.Listen("tcp", address)
		if err != nil {
			return err
		}
		defer l.Close()
		if network == "fork" {
			file, err := l.(*net.TCPListener).File()
			if err != nil {
				return err
			}
			child := exec.Command(os.Args[0])
			child.Env = append(os.Environ(), listenMarker+"=inherited")
			child.Stdin, child.ExtraFiles = os.Stdin, []*os.File{file}
			if err := child.Start(); err != nil {
				return err
			}
			ready = fmt.Sprint(child.Process.Pid)
		}
	}
	if network != "inherited" {
		fmt.Println(ready)
	}
	_, err := io.Copy(io.Discard, os.Stdin)
	return err
}

// server is another process with a socket.
type server struct {
	*exec.Cmd
	ready string // what it wrote when it was
	stop  func() // ends it and waits until it has
}

func startServer(t *testing.T, what string) *server {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(exe)
	cmd.Env = append(os.Environ(), listenMarker+"="+what)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	stopped := false
	s := &server{Cmd: cmd, stop: func() {
		if !stopped {
			stopped = true
			_ = in.Close()
			_ = cmd.Wait() // that a process was killed is no failure
		}
	}}
	t.Cleanup(s.stop)
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("%s: the server did not get ready: %v", what, err)
	}
	s.ready = strings.TrimSpace(line)
	return s
}

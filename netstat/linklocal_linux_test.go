package netstat_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/l4stat/l4stat/internal/testhost"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/socket"
	"golang.org/x/sys/unix"
)

// TestLinkLocalListeners has a listener on the same link-local address of two
// interfaces: a row each where rows are by address, one where an entry names the
// address.
func TestLinkLocalListeners(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	const batch = `
link add near index 70 type veth peer name far index 71
link set lo up
link set near up
link set far up
address add fe80::1/64 dev near nodad
address add fe80::1/64 dev far nodad
`
	ip := exec.Command("ip", "-batch", "-")
	ip.Stdin = strings.NewReader(batch)
	if out, err := ip.CombinedOutput(); err != nil {
		testhost.SkipOrFail(t, "cannot make a veth: "+string(out))
	}
	for _, zone := range []string{"near", "far", "far"} {
		config := net.ListenConfig{Control: reusePort}
		l, err := config.Listen(context.Background(), "tcp6", "[fe80::1%"+zone+"]:8071")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	rows := func(ports, match []string) map[string]int64 {
		t.Helper()
		c, err := netstat.New(netstat.Config{Source: socket.Netlink, Groups: []netstat.Group{{Ports: ports, PortsMatch: match}}})
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		got := map[string]int64{}
		for _, m := range gather(t, c) {
			if m.Name == "netstat_port" {
				for _, tag := range m.Tags {
					if tag.Key == "addr_port" {
						got[tag.Value] += fields(m)["tcp_listen"]
					}
				}
			}
		}
		maps.DeleteFunc(got, func(_ string, n int64) bool { return n == 0 })
		return got
	}
	if got, want := rows(nil, []string{"*:8071"}), map[string]int64{"[fe80::1%70]:8071": 1, "[fe80::1%71]:8071": 2}; !maps.Equal(got, want) {
		t.Errorf("rows by address: %v, want %v", got, want)
	}
	for _, entry := range []string{"[fe80::1]:8071", "[fe80::/10]:8071", "8071"} {
		if got, want := rows([]string{entry}, nil), map[string]int64{entry: 3}; !maps.Equal(got, want) {
			t.Errorf("rows of %s: %v, want %v", entry, got, want)
		}
	}
}

func reusePort(_, _ string, conn syscall.RawConn) error {
	var err error
	controlErr := conn.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	})
	return errors.Join(controlErr, err)
}

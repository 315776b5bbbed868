package e2e

import (
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/peers"
	"github.com/l4stat/l4stat/internal/testhost"
)

// TestIntervalNotKept has emit and the shim say once that there are too many
// sockets to count in each millisecond.
func TestIntervalNotKept(t *testing.T) {
	// Built before the namespace, which has no network.
	l4stat, shim := peers.Ours(t, "./cmd/l4stat"), peers.Ours(t, "./cmd/telegraf-netstat")
	if !testhost.Enter(t) {
		return
	}
	testhost.New(t) // which sets loopback up
	const sockets = 5000
	for range sockets {
		c, err := net.ListenPacket("udp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
	}
	conf := file(t, "netstat.conf", "[[inputs.netstat]]\ninterval = \"1ms\"\n")
	for name, cmd := range map[string]*exec.Cmd{
		"emit":     exec.Command(l4stat, "emit", "--config", conf),
		"the shim": exec.Command(shim, "--config", conf),
	} {
		t.Run(name, func(t *testing.T) {
			in, err := cmd.StdinPipe() // the shim ends with it
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = in.Close() }()
			p := peers.Start(t, cmd)
			const warning = "an interval of 1ms cannot be kept: a round takes "
			peers.Until(t, "a warning", func() bool { return strings.Contains(p.Log(), warning) })
			rows := strings.Count(p.Log(), "netstat,")
			peers.Until(t, "more rows", func() bool { return strings.Count(p.Log(), "netstat,") > rows+20 })
			if n := strings.Count(p.Log(), warning); n != 1 {
				t.Errorf("the warning comes %d times", n)
			}
		})
	}
}

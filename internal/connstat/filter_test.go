package connstat

import (
	"net/netip"
	"testing"

	"github.com/l4stat/l4stat/netstat/socket"
)

func TestParseFilter(t *testing.T) {
	prefix := netip.MustParsePrefix
	tests := []struct {
		text string
		want Filter
	}{
		{"lport=22", Filter{LocalPorts: socket.Port(22)}},
		{"LPORT=8000-8010,rport=443", Filter{LocalPorts: socket.PortRange{First: 8000, Last: 8010}, RemotePorts: socket.Port(443)}},
		{"laddr=10.0.0.1,raddr=192.0.2.77/24", Filter{Local: prefix("10.0.0.1/32"), Remote: prefix("192.0.2.0/24")}},
		{"laddr=[::1]", Filter{Local: prefix("::1/128")}},
		{"laddr=::ffff:10.0.0.1", Filter{Local: prefix("10.0.0.1/32")}},
		{"raddr=::ffff:10.0.0.0/104", Filter{Remote: prefix("10.0.0.0/8")}},
		{"raddr=::/0", Filter{Remote: prefix("::/0")}},
		{"state=Time_Wait", Filter{States: socket.States(socket.StateTimeWait)}},
		{"state=SYN_RECEIVED", Filter{States: socket.States(socket.StateSynRecv)}},
		{"state=FIN_WAIT_1", Filter{States: socket.States(socket.StateFinWait1)}},
		{"state=BOUND", Filter{States: socket.States(socket.StateClose), Bound: true}},
		{"state=closed", Filter{States: socket.States(socket.StateClose)}},
		{"state=idle", Filter{States: socket.States(socket.StateClose)}},
		{"pid=77,process=a=b,cgroup=/system.slice", Filter{PID: 77, Process: "a=b", Cgroup: "/system.slice"}},
	}
	for _, tt := range tests {
		if got, err := ParseFilter(tt.text); err != nil || got != tt.want {
			t.Errorf("%q is %+v, error %v; want %+v", tt.text, got, err, tt.want)
		}
	}
}

func FuzzParseFilter(f *testing.F) {
	for _, text := range []string{"lport=22,rport=1-5", "laddr=10.0.0.0/8", "raddr=::1", "state=established", "pid=1,process=a,cgroup=/", "x", "=", ","} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		filter, err := ParseFilter(text)
		if err != nil {
			return
		}
		if r := filter.LocalPorts; r.First > r.Last || r != (socket.PortRange{}) && r.First == 0 {
			t.Errorf("%q has the ports %+v", text, r)
		}
		if p := filter.Local; p.IsValid() && (p != p.Masked() || p.Addr().Zone() != "" || p.Addr().Is4In6() && p.Bits() >= 96) {
			t.Errorf("%q has the network %v", text, p)
		}
	})
}

package socket

import (
	"syscall"
	"testing"

	"github.com/shirou/gopsutil/v3/net"
)

// TestFromGopsutil has connections as gopsutil gives them on each system.
func TestFromGopsutil(t *testing.T) {
	tests := []struct {
		name string
		in   net.ConnectionStat
		want Socket
		none bool
	}{
		{
			name: "Windows, handshake",
			in:   net.ConnectionStat{Family: syscall.AF_INET, Type: syscall.SOCK_STREAM, Laddr: net.Addr{IP: "10.0.0.1", Port: 80}, Raddr: net.Addr{IP: "10.0.0.2", Port: 50000}, Status: "SYN_RECEIVED", Pid: 4},
			want: Socket{Protocol: TCP, State: StateSynRecv, Local: ap("10.0.0.1:80"), Remote: ap("10.0.0.2:50000"), PID: 4},
		},
		{
			name: "macOS, listener on every address, by lsof",
			in:   net.ConnectionStat{Family: syscall.AF_INET6, Type: syscall.SOCK_STREAM, Laddr: net.Addr{IP: "*", Port: 22}, Status: "LISTEN", Pid: 1},
			want: Socket{Protocol: TCP, State: StateListen, Local: ap("[::]:22"), PID: 1},
		},
		{
			name: "FreeBSD, link-local, by lsof",
			in:   net.ConnectionStat{Family: syscall.AF_INET6, Type: syscall.SOCK_STREAM, Laddr: net.Addr{IP: "fe80::1%em0", Port: 22}, Raddr: net.Addr{IP: "fe80::2%em0", Port: 50000}, Status: "FIN_WAIT_1", Pid: 7},
			want: Socket{Protocol: TCP, State: StateFinWait1, Local: ap("[fe80::1]:22"), Remote: ap("[fe80::2]:50000"), PID: 7},
		},
		{
			name: "IPv4-mapped",
			in:   net.ConnectionStat{Family: syscall.AF_INET6, Type: syscall.SOCK_STREAM, Laddr: net.Addr{IP: "::ffff:10.0.0.1", Port: 80}, Raddr: net.Addr{IP: "::ffff:10.0.0.2", Port: 50000}, Status: "ESTABLISHED"},
			want: Socket{Protocol: TCP, State: StateEstablished, Local: ap("10.0.0.1:80"), Remote: ap("10.0.0.2:50000")},
		},
		{
			name: "a state with no name",
			in:   net.ConnectionStat{Family: syscall.AF_INET, Type: syscall.SOCK_STREAM, Laddr: net.Addr{IP: "10.0.0.1", Port: 80}},
			want: Socket{Protocol: TCP, State: StateNone, Local: ap("10.0.0.1:80")},
		},
		{
			name: "no address",
			in:   net.ConnectionStat{Family: syscall.AF_INET, Type: syscall.SOCK_STREAM, Status: "CLOSED"},
			want: Socket{Protocol: TCP, State: StateClose},
		},
		{
			name: "UDP",
			in:   net.ConnectionStat{Family: syscall.AF_INET, Type: syscall.SOCK_DGRAM, Laddr: net.Addr{IP: "0.0.0.0", Port: 53}, Status: "NONE", Pid: 53, Uids: []int32{101}},
			want: Socket{Protocol: UDP, State: StateClose, Local: ap("0.0.0.0:53"), PID: 53, UID: 101},
		},
		{
			name: "UDP, connected",
			in:   net.ConnectionStat{Family: syscall.AF_INET, Type: syscall.SOCK_DGRAM, Laddr: net.Addr{IP: "10.0.0.1", Port: 50000}, Raddr: net.Addr{IP: "10.0.0.2", Port: 53}},
			want: Socket{Protocol: UDP, State: StateEstablished, Local: ap("10.0.0.1:50000"), Remote: ap("10.0.0.2:53")},
		},
		{
			name: "bound and nothing else, by lsof",
			in:   net.ConnectionStat{Family: syscall.AF_INET, Type: syscall.SOCK_STREAM, Laddr: net.Addr{IP: "10.0.0.1", Port: 80}, Status: "BOUND"},
			none: true,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got Socket
			if ok := fromGopsutil(&tt.in, &got); ok == tt.none {
				t.Fatalf("is a socket: %v, want %v", ok, !tt.none)
			}
			if !tt.none && got != tt.want {
				t.Errorf("got  %+v\nwant %+v", got, tt.want)
			}
		})
	}
}

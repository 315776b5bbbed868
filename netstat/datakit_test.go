package netstat_test

import (
	"testing"

	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/socket"
)

// TestDataKitExamples has the examples of DataKit's documentation give the rows
// that it promises.
func TestDataKitExamples(t *testing.T) {
	const est, listen = socket.StateEstablished, socket.StateListen
	sockets := []socket.Socket{
		tcp(listen, "0.0.0.0:80", "0.0.0.0:0"), tcp(listen, "[::]:443", "[::]:0"), tcp(listen, "127.0.0.1:9529", "0.0.0.0:0"),
		tcp(est, "1.1.1.1:80", "10.0.0.9:50001"), tcp(est, "1.1.1.1:80", "10.0.0.9:50002"),
		tcp(est, "2.2.2.2:80", "10.0.0.9:50003"),
		tcp(est, "3.3.3.3:80", "10.0.0.9:50004"),
		tcp(est, "[2001:db8::1]:443", "[2001:db8::9]:50005"),
		tcp(est, "3.3.3.3:8080", "10.0.0.9:50006"),
	}
	tests := map[string][]string{ // rows of netstat_port by example
		"1": {
			"netstat_port,addr_port=80,ip_version=4 tcp_established=4 tcp_listen=1",
			"netstat_port,addr_port=443,ip_version=6 tcp_established=1 tcp_listen=1",
		},
		"2": {
			"netstat_port,addr_port=80,ip_version=4,service=http tcp_established=4 tcp_listen=1",
			"netstat_port,addr_port=443,ip_version=6,service=http tcp_established=1 tcp_listen=1",
			"netstat_port,addr_port=9529,ip_version=4,service=datakit tcp_listen=1",
		},
		"3": {
			"netstat_port,addr_port=1.1.1.1:80,ip_version=4 tcp_established=2",
			"netstat_port,addr_port=2.2.2.2:80,ip_version=4 tcp_established=1",
		},
		"4": {
			"netstat_port,addr_port=0.0.0.0:80,ip_version=4 tcp_listen=1",
			"netstat_port,addr_port=1.1.1.1:80,ip_version=4 tcp_established=2",
			"netstat_port,addr_port=2.2.2.2:80,ip_version=4 tcp_established=1",
			"netstat_port,addr_port=3.3.3.3:80,ip_version=4 tcp_established=1",
			"netstat_port,addr_port=[::]:443,ip_version=6 tcp_listen=1",
			"netstat_port,addr_port=[2001:db8::1]:443,ip_version=6 tcp_established=1",
		},
	}
	for example, want := range tests {
		t.Run("example "+example, func(t *testing.T) {
			configs, err := netstat.LoadFile("../testdata/config/good/datakit_example_" + example + ".conf")
			if err != nil {
				t.Fatal(err)
			}
			if len(configs) != 1 {
				t.Fatalf("%d blocks, want 1", len(configs))
			}
			checkRows(t, collect(t, configs[0], sockets...)[2:], want...)
		})
	}
}

package hostile

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Proc makes a tree at root, in place of one that is there, as procfs has it: the
// tables of sockets, the counters, and a process that holds some sockets. Some of
// its files are missing, truncated, binary, huge, negative, or no files.
func Proc(r *rand.Rand, root string) error {
	if err := os.RemoveAll(root); err != nil {
		return err
	}
	if r.IntN(200) == 0 { // no tree at all
		return os.WriteFile(root, []byte("no folder"), 0o644)
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(procFiles)) {
		errs = append(errs, procFile(r, filepath.Join(root, name), procFiles[name]))
	}
	links := map[string]string{"self": "7", "net": "self/net", "7/fd/0": "/dev/null", "7/fd/3": "socket:[1001]", "7/fd/4": "socket:[1002]",
		"7/fd/x": "socket:[1003]", "7/fd/5": "socket:[-1]", "7/fd/6": "socket:[99999999999999999999999]"}
	for _, name := range slices.Sorted(maps.Keys(links)) {
		path, target := filepath.Join(root, name), links[name]
		switch r.IntN(40) {
		case 0:
			continue
		case 1:
			target = name
		case 2:
			target = string(Mutate(r, []byte(target)))
		}
		target = strings.ReplaceAll(target[:min(len(target), 1000)], "\x00", "")
		if target == "" {
			continue
		}
		errs = append(errs, os.MkdirAll(filepath.Dir(path), 0o755), os.Symlink(target, path))
	}
	for _, folder := range []string{"7/net", "sys", "7/fd", "7"} {
		if r.IntN(60) == 0 {
			errs = append(errs, os.RemoveAll(filepath.Join(root, folder)))
		}
	}
	return errors.Join(errs...)
}

func procFile(r *rand.Rand, path, text string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	b := []byte(text)
	switch r.IntN(12) {
	case 0:
		return nil // missing
	case 1:
		return os.Mkdir(path, 0o755)
	case 2:
		b = nil
	case 3: // huge
		if r.IntN(10) == 0 {
			b = []byte(strings.Repeat(text, 1+(2<<20)/len(text)))
		}
	case 4, 5, 6, 7:
		b = Mutate(r, b)
	}
	return os.WriteFile(path, b, 0o644)
}

// procFiles are files as the kernel has them.
var procFiles = map[string]string{
	"7/net/tcp": socketTable(
		"0: 0100007F:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1001 1 0 100 0 0 10 0",
		"1: 0100007F:0050 0100007F:9C40 01 00000000:00000000 00:00000000 00000000    33        0 1002 1 0 20 4 30 10 -1",
		"2: 0100007F:9C40 0100007F:0050 06 00000000:00000000 03:00000000 00000000     0        0 0 3 0"),
	"7/net/tcp6": socketTable("0: 00000000000000000000000000000000:0050 00000000000000000000000000000000:0000 0A 00000000:00000000 00:00000000 00000000 0 0 1003 1 0"),
	"7/net/udp":  socketTable("0: 00000000:0035 00000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 1004 2 0 0"),
	"7/net/udp6": socketTable("0: 00000000000000000000000001000000:0035 00000000000000000000000000000000:0000 07 00000000:00000000 00:00000000 00000000 0 0 1005 2 0 0"),
	"7/net/snmp": "Ip: Forwarding DefaultTTL InReceives\nIp: 1 64 100\n" +
		"Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets CurrEstab InSegs OutSegs RetransSegs InErrs OutRsts InCsumErrors\n" +
		"Tcp: 1 200 120000 -1 11 12 13 14 15 16 17 18 19 20 21\n" +
		"Udp: InDatagrams NoPorts InErrors OutDatagrams RcvbufErrors SndbufErrors InCsumErrors IgnoredMulti MemErrors\nUdp: 1 2 3 4 5 6 7 8 9\n",
	"7/net/snmp6":             "Ip6InReceives                   \t5\nUdp6InDatagrams                 \t1\nUdp6NoPorts                     \t2\nUdp6InErrors                    \t3\nUdp6OutDatagrams                \t4\n",
	"7/net/netstat":           "TcpExt: SyncookiesSent SyncookiesRecv SyncookiesFailed ListenOverflows ListenDrops TCPTimeouts\nTcpExt: 1 2 3 4 5 6\nIpExt: InOctets\nIpExt: 7\n",
	"7/net/sockstat":          "sockets: used 100\nTCP: inuse 5 orphan 0 tw 1 alloc 8 mem 2\nUDP: inuse 3 mem 1\nUDPLITE: inuse 0\nRAW: inuse 0\nFRAG: inuse 0 memory 0\n",
	"7/net/sockstat6":         "TCP6: inuse 2\nUDP6: inuse 1\nUDPLITE6: inuse 0\nRAW6: inuse 0\nFRAG6: inuse 0 memory 0\n",
	"7/net/dev":               "Inter-|   Receive                                                |  Transmit\n face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed\n    lo: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n  eth0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16\n",
	"7/net/if_inet6":          "00000000000000000000000000000001 01 80 10 80       lo\n",
	"7/net/stat/nf_conntrack": "entries  clashres found new invalid ignore delete chainlength insert insert_failed drop early_drop icmp_error  expect_new expect_create expect_delete search_restart\n0000002a  00000001 00000002 00000003 00000004 00000005 00000006 00000007 00000008 00000009 0000000a 0000000b 0000000c  0000000d 0000000e 0000000f 00000010\n",
	"7/stat":                  "7 (nginx: (w) x) S 1 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12345 1 2 3\n",
	"7/mountinfo":             "36 35 98:0 / /sys/fs/none\\040such rw,noatime master:1 - cgroup2 cgroup2 rw\n",
	"8/stat":                  "8 (other) S 7 7 7 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 12346 1 2 3\n",
	"stat":                    "cpu  1 2 3 4 5 6 7 8 9 10\ncpu0 1 2 3 4 5 6 7 8 9 10\nintr 5 1 2\nctxt 9\nbtime 1700000000\n",
	"meminfo":                 "MemTotal:       1000 kB\nMemFree:         400 kB\nMemAvailable:    500 kB\nBuffers:          10 kB\nCached:          200 kB\nSReclaimable:     20 kB\nShmem:            30 kB\n",

	"sys/net/netfilter/nf_conntrack_count": "42\n",
	"sys/net/netfilter/nf_conntrack_max":   "262144\n",
}

func socketTable(rows ...string) string {
	return fmt.Sprintf("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n%s\n", strings.Join(rows, "\n"))
}

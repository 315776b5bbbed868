package cli

import "testing"

func TestConnsBadUsage(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		args  []string
		words []string
	}{
		{"flag of another command", []string{"--ports", "80"}, []string{"--ports", "one of l4stat emit", "l4stat conns --help"}},
		{"argument", []string{"80"}, []string{`"80"`, "l4stat conns --help"}},
		{"unknown field", []string{"-o", "laddr,rtx"}, []string{"-o laddr,rtx", `"rtx"`, "did you mean rto?"}},
		{"no field", []string{"-o", ""}, []string{"-o", `""`, "laddr"}},
		{"all and one", []string{"-o", "all,rtt"}, []string{"-o all,rtt", "alone"}},
		{"field twice", []string{"-o", "rtt,RTT"}, []string{"-o rtt,RTT", `"rtt"`, "twice"}},
		{"-P without -o", []string{"-P"}, []string{"-P", "-o FIELD"}},
		{"-P and --json", []string{"-P", "--json", "-o", "rtt"}, []string{"-P", "--json"}},
		{"-c without -i", []string{"-c", "3"}, []string{"-c 3", "-i SECONDS"}},
		{"-c of nothing", []string{"-c", "0", "-i", "1"}, []string{"-c 0", "1 or more"}},
		{"-c that is no number", []string{"-c", "x", "-i", "1"}, []string{"-c, --count", "x", "l4stat conns --help"}},
		{"-i of nothing", []string{"-i", "0"}, []string{`-i "0"`, "seconds"}},
		{"-i below nothing", []string{"-i", "-1"}, []string{`-i "-1"`, "seconds"}},
		{"-i that is no number", []string{"-i", "1s"}, []string{`-i "1s"`, "seconds above 0, such as 1 or 0.5"}},
		{"-i that never comes", []string{"-i", "1e300"}, []string{`-i "1e300"`, "31536000 seconds"}},
		{"-i beyond what a duration holds", []string{"-i", "9223372036.854776"}, []string{`-i "9223372036.854776"`, "31536000 seconds"}},
		{"-i too short", []string{"-i", "0.0001"}, []string{`-i "0.0001"`, "0.001 seconds or more"}},
		{"-i that is not a number", []string{"-i", "nan"}, []string{`-i "nan"`, "seconds"}},
		{"-T", []string{"-T", "x"}, []string{`-T "x"`, "d for a date or u"}},
		{"-T of nothing", []string{"-T", ""}, []string{`-T ""`, "d for a date or u"}},
		{"-4 and -6", []string{"-46"}, []string{"-4 and -6"}},
		{"-4 with an IPv6 address", []string{"-4", "-F", "laddr=::1"}, []string{"-4", "laddr=::1", "IPv6"}},
		{"-6 with an IPv4 network", []string{"-6", "-F", "raddr=10.0.0.0/8"}, []string{"-6", "raddr=10.0.0.0/8", "IPv4"}},
		{"addresses of both", []string{"-F", "laddr=10.0.0.1,raddr=::1"}, []string{"laddr=10.0.0.1", "raddr=::1", "no connection is both"}},
		{"-e with a state", []string{"-e", "-F", "state=listen"}, []string{"-e", "state="}},
		{"-e with its own state", []string{"-e", "-F", "lport=22,STATE=ESTABLISHED"}, []string{"-e", "state="}},
		{"empty filter", []string{"-F", ""}, []string{`-F ""`, "field=value"}},
		{"filter without a value", []string{"-F", "lport"}, []string{`-F "lport"`, "field=value"}},
		{"filter with an empty value", []string{"-F", "state="}, []string{`-F "state="`, "field=value"}},
		{"filter that ends in a comma", []string{"-F", "lport=22,"}, []string{`-F ""`, "field=value"}},
		{"filter by an unknown field", []string{"-F", "rtt=1"}, []string{`"rtt=1"`, `"rtt"`, "laddr, lport, raddr, rport, state, cgroup, process, pid"}},
		{"filter with a field twice", []string{"-F", "lport=22,LPORT=23"}, []string{`"LPORT=23"`, `"lport"`, "twice"}},
		{"port 0", []string{"-F", "lport=0"}, []string{`"lport=0"`, "1 to 65535"}},
		{"port 65536", []string{"-F", "rport=65536"}, []string{`"rport=65536"`, "1 to 65535"}},
		{"port by name", []string{"-F", "lport=http"}, []string{`"http"`, "1 to 65535"}},
		{"ports the wrong way round", []string{"-F", "lport=90-80"}, []string{`"90-80"`, "80-90"}},
		{"port range without an end", []string{"-F", "lport=90-"}, []string{`"90-"`, "8000-8010"}},
		{"no address", []string{"-F", "laddr=localhost"}, []string{`"localhost"`, "10.0.0.0/8"}},
		{"no network", []string{"-F", "raddr=10.0.0.0/33"}, []string{`"10.0.0.0/33"`, "10.0.0.0/8"}},
		{"address with a zone", []string{"-F", "raddr=fe80::1%eth0"}, []string{`"fe80::1%eth0"`, "zone"}},
		{"unknown state", []string{"-F", "state=open"}, []string{`"open"`, "ESTABLISHED", "FIN_WAIT_1"}},
		{"pid 0", []string{"-F", "pid=0"}, []string{`"pid=0"`, "from 1"}},
		{"pid that is no number", []string{"-F", "pid=nginx"}, []string{`"nginx"`, "process=nginx"}},
		{"cgroup 0", []string{"-F", "cgroup=0"}, []string{`"cgroup=0"`, "/system.slice"}},
		{"unknown field that is near none", []string{"-o", "packets"}, []string{"-o packets", `"packets"`, "there are laddr, ", " retransbytes, "}},
		{"misspelt field", []string{"-o", "retransbyte"}, []string{`"retransbyte"`, "did you mean retransbytes?"}},
		{"misspelt filter", []string{"-F", "lprot=22"}, []string{`"lprot=22"`, "did you mean lport?"}},
		{"misspelt state", []string{"-F", "state=estblished"}, []string{`"estblished"`, "did you mean ESTABLISHED?"}},
		{"fields without a comma", []string{"-o", "laddr", "raddr"}, []string{`"raddr"`, "separate fields by commas: -o laddr,raddr"}},
		{"filters without a comma", []string{"-F", "lport=22", "rport=23"}, []string{`"rport=23"`, "-F lport=22,rport=23"}},
		{"sort by an unknown field", []string{"--sort", "rtx"}, []string{"--sort", `"rtx"`, "did you mean rto?"}},
		{"sort by all", []string{"--sort", "all"}, []string{"--sort", `"all"`}},
		{"--top without --sort", []string{"--top", "3"}, []string{"--top 3", "--sort retransbytes"}},
		{"--top of nothing", []string{"--sort", "rtt", "--top", "0"}, []string{"--top 0", "1 or more"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			stdout, stderr, code := run(t, nil, append([]string{"conns"}, tt.args...)...)
			checkFailure(t, stdout, stderr, code, exitUsage, tt.words...)
		})
	}
}

package connstat

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"math"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/l4stat/l4stat/internal/fakediag"
	"github.com/l4stat/l4stat/internal/golden"
	"github.com/l4stat/l4stat/netstat/socket"
)

// tcpInfo makes a struct tcp_info of n bytes.
func tcpInfo(n int, members map[socket.TCPMember]uint64) []byte {
	b := make([]byte, 512)
	for m, v := range members {
		if m&(1<<15) != 0 {
			binary.NativeEndian.PutUint64(b[m&^(1<<15):], v)
		} else {
			binary.NativeEndian.PutUint32(b[m:], uint32(v))
		}
	}
	return b[:n]
}

// busy is a connection with something in every member.
var busy = map[socket.TCPMember]uint64{
	socket.InfoRTO: 204_000, socket.InfoRTT: 512, socket.InfoRTTVar: 77, socket.InfoMinRTT: 498,
	socket.InfoSndMSS: 1448, socket.InfoSndCwnd: 33, socket.InfoLost: 2, socket.InfoReordering: 3, socket.InfoTotalRetrans: 5,
	socket.InfoPacingRate: 1_250_000, socket.InfoDeliveryRate: 980_000, socket.InfoNotsentBytes: 3000,
	socket.InfoBytesAcked: 900_001, socket.InfoBytesReceived: 4_001, socket.InfoDataSegsIn: 9, socket.InfoDataSegsOut: 700,
	socket.InfoBusyTime: 5_000_000, socket.InfoRwndLimited: 40_000, socket.InfoSndbufLimited: 8_000,
	socket.InfoBytesSent: 1_000_000, socket.InfoBytesRetrans: 7_240, socket.InfoRcvOOOPack: 4,
	socket.InfoSndWnd: 65_160, socket.InfoRcvWnd: 64_240,
}

// idle is one that has not sent anything yet, or whose SYN was sent again.
var idle = map[socket.TCPMember]uint64{
	socket.InfoRTO: 1_000_000, socket.InfoRTTVar: 250_000, socket.InfoMinRTT: math.MaxUint32,
	socket.InfoSndMSS: 536, socket.InfoSndCwnd: 10, socket.InfoReordering: 3, socket.InfoTotalRetrans: 2,
	socket.InfoPacingRate: math.MaxUint64,
}

func testSockets() []fakediag.Socket {
	ap := netip.MustParseAddrPort
	cubic := []byte("cubic\x00")
	all := func(info []byte) map[uint16][]byte { return map[uint16][]byte{2: info, 4: cubic} }
	return []fakediag.Socket{
		{Protocol: 6, State: 1, Local: ap("10.0.0.1:443"), Remote: ap("192.0.2.7:50000"), RecvQueue: 9, SendQueue: 5896, UID: 33, Inode: 41003, Extensions: all(tcpInfo(248, busy))},
		{Protocol: 6, State: 8, Local: ap("10.0.0.1:443"), Remote: ap("192.0.2.8:50000"), UID: 33, Inode: 41004, Extensions: all(tcpInfo(248, busy))},
		{Protocol: 6, State: 1, Local: ap("[2001:db8:1111:2222:3333:4444:5555:6666]:443"), Remote: ap("[2001:db8::7]:50001"), UID: 1000, Inode: 41005, Extensions: all(tcpInfo(232, busy))},
		{Protocol: 6, State: 1, Local: ap("10.0.0.1:80"), Remote: ap("192.0.2.9:50000"), Inode: 41006, Extensions: all(tcpInfo(192, busy))},
		{Protocol: 6, State: 1, Local: ap("10.0.0.1:80"), Remote: ap("192.0.2.10:50000"), SendQueue: 12, Inode: 41007, Extensions: all(tcpInfo(104, busy))},
		{Protocol: 6, State: 2, Local: ap("10.0.0.1:40000"), Remote: ap("192.0.2.11:80"), SendQueue: 1, Inode: 41008, Extensions: all(tcpInfo(248, idle))},
		{Protocol: 6, State: 10, Local: ap("0.0.0.0:80"), Remote: ap("0.0.0.0:0"), RecvQueue: 1, SendQueue: 4096, Inode: 41009, Extensions: all(tcpInfo(248, nil))},
		{Protocol: 6, State: 6, Local: ap("10.0.0.1:80"), Remote: ap("192.0.2.12:50000")},
		{Protocol: 6, State: 12, Local: ap("10.0.0.1:80"), Remote: ap("192.0.2.13:50000")},
		{Protocol: 6, State: 4, Local: ap("10.0.0.1:80"), Remote: ap("192.0.2.14:50000"), SendQueue: 1, Inode: 0, Extensions: all(tcpInfo(248, busy))},
		{Protocol: 17, State: 7, Local: ap("0.0.0.0:53"), Remote: ap("0.0.0.0:0"), Inode: 5},
	}
}

// reporter makes a Reporter of made-up sockets.
func reporter(t testing.TB, o Options, sockets []fakediag.Socket) (*Reporter, *bytes.Buffer) {
	t.Helper()
	var out bytes.Buffer
	if o.Now == nil {
		o.Now = func() time.Time { return time.Unix(1_467_903_880, 0).UTC() }
	}
	kernel := fakediag.New(sockets)
	source := socket.NewNetlink(func() (socket.Conn, error) { return kernel.Dial(), nil })
	return newReporter(o, source, &out), &out
}

func fields(t testing.TB, names string) []Field {
	t.Helper()
	fs, err := ParseFields(names)
	if err != nil {
		t.Fatal(err)
	}
	return fs
}

// noLookups are all fields but those of processes and cgroups.
const noLookups = "laddr,lport,raddr,rport,state,cwnd,inbytes,insegs,inunorderbytes,inunordersegs,mss,outbytes,outsegs," +
	"retransbytes,retranssegs,rto,rtt,rttc,rtts,rwnd,suna,swnd,unsent,minrtt,rttvar,deliveryrate,pacingrate,lost,reordering," +
	"cc,busytime,rwndlimited,sndbuflimited,rqueue,wqueue,uid,inode,cookie"

func TestReport(t *testing.T) {
	sortBy := func(name string) *Field {
		f, err := FieldByName(name)
		if err != nil {
			t.Fatal(err)
		}
		return &f
	}
	filter := func(text string) Filter {
		f, err := ParseFilter(text)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}
	tests := []struct {
		golden string
		o      Options
	}{
		{"basic.txt", Options{}},
		{"ipv4.txt", Options{Filter: Filter{IPVersion: 4}, Timestamp: DateTimestamp}},
		{"ipv6.txt", Options{Filter: Filter{IPVersion: 6}, Timestamp: UnixTimestamp}},
		{"all.txt", Options{Fields: fields(t, noLookups)}},
		{"all.csv", Options{Fields: fields(t, noLookups), Format: Parsable}},
		{"all.json", Options{Fields: fields(t, noLookups), Format: JSON, Timestamp: DateTimestamp}},
		{"sorted.txt", Options{Fields: fields(t, "raddr,retransbytes"), Sort: sortBy("retransbytes")}},
		{"top.txt", Options{Fields: fields(t, "raddr,state"), Sort: sortBy("raddr"), Top: 3, Timestamp: UnixTimestamp}},
		{"none.txt", Options{Filter: filter("laddr=203.0.113.0/24")}},
	}
	for _, tt := range tests {
		t.Run(tt.golden, func(t *testing.T) {
			r, out := reporter(t, tt.o, testSockets())
			if err := r.Report(context.Background()); err != nil {
				t.Fatal(err)
			}
			if err := r.Close(); err != nil {
				t.Error(err)
			}
			golden.Compare(t, filepath.Join("testdata", tt.golden), out.Bytes())
			if tt.o.Format == JSON {
				for line := range strings.Lines(out.String()) {
					if !json.Valid([]byte(line)) {
						t.Errorf("no JSON: %s", line)
					}
				}
			}
		})
	}
}

// TestReportAllocations shows that a connection costs no allocation, in any
// format, and that of the sorted ones no more are kept than are asked for.
func TestReportAllocations(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	retrans, err := FieldByName("retransbytes")
	if err != nil {
		t.Fatal(err)
	}
	for name, o := range map[string]Options{
		"table":    {Fields: fields(t, noLookups)},
		"parsable": {Fields: fields(t, noLookups), Format: Parsable},
		"json":     {Fields: fields(t, noLookups), Format: JSON},
		"top":      {Fields: fields(t, noLookups), Sort: &retrans, Top: 10},
	} {
		t.Run(name, func(t *testing.T) {
			allocs := func(n int) float64 {
				r, out := reporter(t, o, fakediag.Connections(n, 8000, 8009))
				return testing.AllocsPerRun(3, func() {
					out.Reset()
					if err := r.Report(context.Background()); err != nil {
						t.Fatal(err)
					}
				})
			}
			if few, many := allocs(1000), allocs(20_000); many > few+5 {
				t.Errorf("a report of 1,000 connections allocates %v times, one of 20,000 %v times", few, many)
			}
		})
	}
}

// TestReportText has names that processes choose to confuse whoever reads them.
func TestReportText(t *testing.T) {
	tests := []struct{ name, table, parsable, json string }{
		{"nginx", "nginx", "nginx", `"nginx"`},
		{"a,b\\c", `a,b\c`, `a\,b\\c`, `"a,b\\c"`},
		{"a\nb\x1b[2J\xff", `a\nb\x1b[2J\xff`, `a\\nb\\x1b[2J\\xff`, `"a\nb\u001b[2J\ufffd"`},
		{"\u202eC1\u009b", `\u202eC1\u009b`, `\\u202eC1\\u009b`, `"\u202eC1\u009b"`},
		{"Größe \"1\"", `Größe "1"`, `Größe "1"`, `"Größe \"1\""`},
		{"", "-", "", "null"},
	}
	fs := fields(t, "process")
	for _, tt := range tests {
		r := row{Socket: &socket.Socket{}, owner: Owner{PID: 1, Name: tt.name}}
		for format, got := range map[string][2]string{
			"table":    {string(appendTableRow(nil, fs, &r)), tt.table + "\n"},
			"parsable": {string(appendParsableRow(nil, fs, &r)), tt.parsable + "\n"},
			"json":     {string(appendJSONRow(nil, fs, &r, NoTimestamp, time.Time{})), `{"process":` + tt.json + "}\n"},
		} {
			if got[0] != got[1] {
				t.Errorf("%q in %s is %q, want %q", tt.name, format, got[0], got[1])
			}
		}
	}
}

// TestElsewhere has what is asked for on a system that is not Linux.
func TestElsewhere(t *testing.T) {
	tests := []struct {
		o    Options
		want string // "" for no error
	}{
		{Options{}, ""},
		{Options{Fields: fields(t, "laddr,lport,raddr,rport,state,rqueue,wqueue,uid,inode,pid")}, ""},
		{Options{Filter: Filter{PID: 7}}, ""},
		{Options{Fields: fields(t, "laddr,rtt")}, "rtt: from sock_diag alone: which only Linux has"},
		{Options{Fields: fields(t, "process")}, "process: names"},
		{Options{All: true}, ""},
		{Options{Filter: Filter{Process: "nginx"}}, "process: names"},
		{Options{Filter: Filter{Bound: true}}, "sock_diag alone"},
		{Options{Filter: Filter{Cgroup: "/"}}, "cgroup needs sock_diag"},
	}
	for _, tt := range tests {
		r, _ := reporter(t, tt.o, nil)
		err := r.check(false)
		if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v, want %q", tt.o.Filter, err, tt.want)
		}
		if err := r.check(true); err != nil {
			t.Errorf("on Linux %v", err)
		}
	}

	all, _ := reporter(t, Options{All: true}, nil)
	if err := all.check(false); err != nil || fieldNames(all.Fields) != "laddr, lport, raddr, rport, state, rqueue, wqueue, uid, inode, pid" {
		t.Errorf("all is %s, error %v", fieldNames(all.Fields), err)
	}

	r, out := reporter(t, Options{Fields: fields(t, "lport,pid"), Format: Parsable, Filter: Filter{PID: 7}}, nil)
	r.source = fromGopsutil{{Local: netip.MustParseAddrPort("10.0.0.1:80"), PID: 7}, {Local: netip.MustParseAddrPort("10.0.0.1:81"), PID: 8}}
	if err := r.Report(context.Background()); err != nil || out.String() != "80,7\n" {
		t.Errorf("got %q, error %v", out.String(), err)
	}
}

// TestOlderKernels has all fields be those that a kernel has, by the size of its
// struct tcp_info.
func TestOlderKernels(t *testing.T) {
	for _, tt := range []struct {
		size    int // of Linux
		without string
	}{
		{248, ""},                        // 6.7
		{232, "rwnd"},                    // 5.5
		{224, "inunordersegs rwnd swnd"}, // 4.19
		{192, "inunordersegs retransbytes rwnd swnd"}, // 4.10
		{104, "inbytes insegs inunordersegs outbytes outsegs retransbytes rwnd suna swnd unsent minrtt deliveryrate pacingrate busytime rwndlimited sndbuflimited"}, // 3.10
	} {
		r, _ := reporter(t, Options{All: true}, nil)
		before := names(r.Fields)
		r.dropUnkept(tt.size)
		var without []string
		for _, name := range before {
			if !slices.Contains(names(r.Fields), name) {
				without = append(without, name)
			}
		}
		want := strings.Fields(tt.without)
		slices.Sort(want)
		slices.Sort(without)
		if !slices.Equal(without, want) {
			t.Errorf("tcp_info of %d bytes: all is without %q, want %q", tt.size, without, want)
		}
	}
	var told []string
	r, _ := reporter(t, Options{Fields: fields(t, "laddr,rwnd,rtt"), Warn: func(s string) { told = append(told, s) }}, nil)
	r.dropUnkept(232)
	if len(told) != 1 || !strings.Contains(told[0], "does not keep rwnd,") || fieldNames(r.Fields) != "laddr, rwnd, rtt" {
		t.Errorf("by name: told %q, fields %s", told, fieldNames(r.Fields))
	}
}

// fromGopsutil is a source that knows processes.
type fromGopsutil []socket.Socket

func (s fromGopsutil) Each(_ context.Context, _ socket.Query, fn func(*socket.Socket) error) error {
	for i := range s {
		if err := fn(&s[i]); err != nil {
			return err
		}
	}
	return nil
}

func (fromGopsutil) Close() error { return nil }

// TestHelp has a line of help for each field, and each field of connstat's.
func TestHelp(t *testing.T) {
	connstat := "cwnd inbytes insegs inunorderbytes inunordersegs laddr lport mss outbytes outsegs raddr retransbytes " +
		"retranssegs rport rto rtt rttc rtts rwnd state suna swnd unsent"
	linux := "minrtt rttvar deliveryrate pacingrate lost reordering cc busytime rwndlimited sndbuflimited rqueue wqueue uid " +
		"inode cookie pid process cgroup"
	for name := range strings.FieldsSeq(connstat + " " + linux) {
		if _, err := FieldByName(strings.ToUpper(name)); err != nil {
			t.Error(err)
		}
	}
	for _, f := range AllFields {
		if f.Help == "" || f.Width < len(f.Name) && f.Name != "process" {
			t.Errorf("%s has width %d and the help %q", f.Name, f.Width, f.Help)
		}
	}
	if f, err := FieldByName("RXqueue"); err != nil || f.Name != "rxqueue" || f.Width == 0 {
		t.Errorf("rxqueue is %+v, error %v", f, err)
	}
	if n := len(strings.Fields(connstat + " " + linux)); len(AllFields) != n {
		t.Errorf("there are %d fields, want %d", len(AllFields), n)
	}
}

package cli

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/internal/counters"
	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/internal/testhost"
	"github.com/l4stat/l4stat/netstat/socket"
)

const mebibyte = 1 << 20

// transfer is a connection from one namespace to another.
type transfer struct {
	*testhost.Pair
	t           *testing.T
	sender      *net.TCPConn // near
	receiver    *net.TCPConn // far
	senderPort  int
	receivePort int
}

func newTransfer(t *testing.T) *transfer {
	t.Helper()
	if _, err := exec.LookPath("ss"); err != nil {
		testhost.SkipOrFail(t, "needs ss (Debian: iproute2)")
	}
	x := &transfer{Pair: testhost.NewPair(t), t: t, senderPort: 40000, receivePort: 9000}
	l := x.ListenFar(netip.AddrPortFrom(testhost.FarAddr, uint16(x.receivePort)))
	x.sender, x.receiver = x.DialNear(netip.AddrPortFrom(testhost.NearAddr, uint16(x.senderPort)), l)
	return x
}

// write sends a mebibyte in 1000 writes.
func (x *transfer) write() error {
	const writes = 1000
	for i := range writes {
		size := mebibyte*(i+1)/writes - mebibyte*i/writes
		if _, err := x.sender.Write(make([]byte, size)); err != nil {
			return err
		}
	}
	return nil
}

// receive reads n bytes.
func (x *transfer) receive(n int64) {
	x.t.Helper()
	if _, err := io.CopyN(io.Discard, x.receiver, n); err != nil {
		x.t.Fatal(err)
	}
}

// values are the fields of an end of the connection, by name.
type values map[string]any

// number gives a field that is a number, and -1 where there is none.
func (v values) number(name string) float64 {
	switch n := v[name].(type) {
	case float64:
		return n
	case json.Number:
		f, err := n.Float64()
		if err != nil {
			return math.NaN()
		}
		return f
	}
	return -1
}

// near gives what l4stat and ss have to say of the sender, far of the receiver.
// They have to agree.
func (x *transfer) near() values {
	x.t.Helper()
	return x.agree(x.senderPort, func(cmd *exec.Cmd) ([]byte, error) { return cmd.Output() })
}

func (x *transfer) far() values {
	x.t.Helper()
	return x.agree(x.receivePort, func(cmd *exec.Cmd) (out []byte, err error) {
		x.InFar(func() error {
			out, err = cmd.Output()
			return nil
		})
		return out, err
	})
}

// agree takes what l4stat says between two times that ss does, and waits for
// every field to lie between what ss says: at an instant when it does not
// change, to be the same.
func (x *transfer) agree(port int, output func(*exec.Cmd) ([]byte, error)) values {
	x.t.Helper()
	var got values
	var disagreement string
	begin := time.Now()
	for time.Since(begin) < 20*time.Second {
		before := x.ss(port, output)
		got = x.l4stat(port, output)
		after := x.ss(port, output)
		if disagreement = compare(before, got, after); disagreement == "" {
			return got
		}
	}
	x.t.Fatalf("l4stat and ss never agree: %s", disagreement)
	return nil
}

// compare says where they do not agree.
func compare(before, got, after values) string {
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if text, ok := before[name].(string); ok {
			if got[name] != text {
				return fmt.Sprintf("%s is %v, of ss %q", name, got[name], text)
			}
			continue
		}
		low, high := before.number(name), after.number(name)
		low, high = min(low, high), max(low, high)
		v := got.number(name)
		// ss has milliseconds of these, and rates in bits with a rounding.
		slack := map[string]float64{"busytime": 1000, "rwndlimited": 1000, "sndbuflimited": 1000, "deliveryrate": 1, "pacingrate": 1, "rto": 1}[name]
		if v < low-slack || v > high+slack {
			return fmt.Sprintf("%s is %v, of ss %v to %v", name, got[name], low, high)
		}
	}
	return ""
}

func (x *transfer) l4stat(port int, output func(*exec.Cmd) ([]byte, error)) values {
	x.t.Helper()
	out, err := output(program(x.t, nil, "conns", "--json", "-o", "all", "-e", "-F", fmt.Sprint("lport=", port)))
	if err != nil {
		x.t.Fatalf("l4stat conns: %v", err)
	}
	got := values{}
	dec := json.NewDecoder(strings.NewReader(string(out)))
	dec.UseNumber()
	if err := dec.Decode(&got); err != nil || strings.Count(string(out), "\n") != 1 {
		x.t.Fatalf("%v: %s", err, out)
	}
	return got
}

// ss gives what ss -tinm says by l4stat's names. It leaves out what is 0.
func (x *transfer) ss(port int, output func(*exec.Cmd) ([]byte, error)) values {
	x.t.Helper()
	out, err := output(exec.Command("ss", "-HOtinme", "state", "established", "sport", "=", fmt.Sprint(":", port)))
	if err != nil || strings.Count(string(out), "\n") != 1 {
		x.t.Fatalf("ss: %v: %s", err, out)
	}
	text := string(out)
	// number finds a number behind a name; scale makes l4stat's unit of ss's.
	number := func(pattern string, scale float64) float64 {
		m := regexp.MustCompile(`\s` + pattern).FindStringSubmatch(text)
		if m == nil {
			return 0
		}
		n, err := strconv.ParseFloat(m[1], 64)
		if err != nil {
			x.t.Fatalf("%v: %s", err, text)
		}
		return math.Round(n * scale)
	}
	const count = `([0-9]+)`
	const decimal = `([0-9.]+)`
	queues := strings.Fields(text) // Recv-Q, Send-Q
	rqueue, err1 := strconv.ParseFloat(queues[0], 64)
	wqueue, err2 := strconv.ParseFloat(queues[1], 64)
	if err := errors.Join(err1, err2); err != nil {
		x.t.Fatalf("%v: %s", err, text)
	}
	notsent, mss := number("notsent:"+count, 1), number("mss:"+count, 1)
	retransBytes, retransSegs := number("bytes_retrans:"+count, 1), number("retrans:[0-9]+/"+count, 1)
	if retransBytes == 0 {
		retransSegs = 0
	}
	reordering := number("reordering:"+count, 1)
	if reordering == 0 {
		reordering = 3 // which ss does not say
	}
	v := values{
		"rqueue": rqueue, "wqueue": wqueue,
		"unsent": notsent, "suna": wqueue - notsent,
		"inbytes":       number("bytes_received:"+count, 1),
		"insegs":        number("data_segs_in:"+count, 1),
		"inunordersegs": number("rcv_ooopack:"+count, 1),
		"outbytes":      number("bytes_sent:"+count, 1) - retransBytes,
		"outsegs":       number("data_segs_out:"+count, 1) - retransSegs,
		"retransbytes":  retransBytes, "retranssegs": retransSegs,
		"swnd": number("snd_wnd:"+count, 1), "cwnd": number("cwnd:"+count, 1) * mss, "mss": mss,
		"rto": number("rto:"+decimal, 1), "rtt": number("rtt:"+decimal, 1000), "rttvar": number("rtt:[0-9.]+/"+decimal, 1000),
		"minrtt":     number("minrtt:"+decimal, 1000),
		"pacingrate": number("pacing_rate "+count+"bps", 1./8),
		"lost":       number("lost:"+count, 1), "reordering": reordering,
		"busytime":      number("busy:"+count+"ms", 1000),
		"rwndlimited":   number("rwnd_limited:"+count+"ms", 1000),
		"sndbuflimited": number("sndbuf_limited:"+count+"ms", 1000),
		"uid":           number("uid:"+count, 1), "inode": number("ino:"+count, 1),
		"cookie": regexp.MustCompile(`sk:([0-9a-f]+)`).FindStringSubmatch(text)[1],
		"cc":     regexp.MustCompile(`skmem:\([^)]*\)(?: ts| sack| ecn| ecnseen| fastopen)* ([a-z]+)`).FindStringSubmatch(text)[1],
	}
	if rate := number("delivery_rate "+count+"bps", 1./8); rate != 0 {
		v["deliveryrate"] = rate // else l4stat has none
	}
	if m := regexp.MustCompile(`cgroup:(\S+)`).FindStringSubmatch(text); m != nil {
		v["cgroup"] = m[1]
	}
	return v
}

// checkValues checks fields whose values are known.
func checkValues(t *testing.T, of string, got values, want map[string]float64) {
	t.Helper()
	for name, v := range want {
		if got.number(name) != v {
			t.Errorf("%s: %s is %v, want %v", of, name, got[name], v)
		}
	}
}

// positive checks fields that must not be 0.
func positive(t *testing.T, of string, got values, names ...string) {
	t.Helper()
	for _, name := range names {
		if got.number(name) <= 0 {
			t.Errorf("%s: %s is %v", of, name, got[name])
		}
	}
}

// retransmitted is how many segments TCP sent again in this network namespace.
func retransmitted(t *testing.T) float64 {
	t.Helper()
	rows, err := counters.Find("tcp").Read(t.Context(), kernel.This())
	if err != nil {
		t.Fatal(err)
	}
	n, ok := rows[0].Int("retrans_segs")
	if !ok {
		t.Fatal("the kernel does not count retransmitted segments")
	}
	return float64(n)
}

// TestConnsTransfer has a mebibyte sent in 1000 writes and read.
func TestConnsTransfer(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	x := newTransfer(t)
	go func() {
		if err := x.write(); err != nil {
			t.Error(err)
		}
	}()
	x.receive(mebibyte)
	if _, err := x.receiver.Write(make([]byte, 777)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, x.sender, 777); err != nil {
		t.Fatal(err)
	}
	eventually(t, func() bool { return x.near()["suna"] == json.Number("0") })
	near, far := x.near(), x.far()
	checkValues(t, "sender", near, map[string]float64{"outbytes": mebibyte, "inbytes": 777, "insegs": 1, "suna": 0, "unsent": 0, "rqueue": 0, "wqueue": 0})
	checkValues(t, "receiver", far, map[string]float64{"inbytes": mebibyte, "outbytes": 777, "outsegs": 1, "suna": 0, "unsent": 0, "rqueue": 0})
	positive(t, "sender", near, "rtt", "rto", "mss", "cwnd", "swnd", "rwnd", "minrtt", "deliveryrate", "outsegs")
	// Nothing is lost here, but on a busy machine an acknowledgment may come so late
	// that the sender asks for it with a segment that it sends again.
	again := retransmitted(t)
	if near.number("retranssegs") != again || (near.number("retransbytes") > 0) != (again > 0) {
		t.Errorf("%v segments and %v bytes were sent again; the kernel counts %v segments", near["retranssegs"], near["retransbytes"], again)
	}
	if n := far.number("insegs") - near.number("outsegs"); n < 0 || n > again {
		t.Errorf("%v segments were sent and %v received", near["outsegs"], far["insegs"])
	}
	if near["pid"] != json.Number(fmt.Sprint(os.Getpid())) || far["pid"] != near["pid"] {
		t.Errorf("the process is %v and %v, want %d", near["pid"], far["pid"], os.Getpid())
	}
	x.checkWindow(near)
	x.checkMemory()

	// The peer's FIN is no data.
	if err := x.sender.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	x.receive(0)
	var out []byte
	eventually(t, func() bool {
		x.InFar(func() (err error) {
			out, err = program(t, nil, "conns", "-P", "-o", "inbytes", "-F", "state=close_wait").Output()
			return err
		})
		return len(out) > 0
	})
	if string(out) != fmt.Sprintln(mebibyte) {
		t.Errorf("after a FIN inbytes is %s", out)
	}
}

// checkWindow compares rwnd, which some versions of ss do not have, with what
// the socket says itself.
func (x *transfer) checkWindow(near values) {
	x.t.Helper()
	raw, err := x.sender.SyscallConn()
	if err != nil {
		x.t.Fatal(err)
	}
	err = raw.Control(func(fd uintptr) {
		info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		if err != nil {
			x.t.Fatal(err)
		}
		if info.Rcv_wnd != 0 && near.number("rwnd") != float64(info.Rcv_wnd) {
			x.t.Errorf("rwnd is %v, of the socket %d", near["rwnd"], info.Rcv_wnd)
		}
	})
	if err != nil {
		x.t.Fatal(err)
	}
}

// checkMemory compares the memory of a socket, which the library alone has.
func (x *transfer) checkMemory() {
	x.t.Helper()
	src, err := socket.Open(socket.Netlink, socket.Options{})
	if err != nil {
		x.t.Fatal(err)
	}
	defer src.Close()
	var got, want string
	q := socket.Query{Tables: []socket.Table{socket.TCP4}, LocalPorts: socket.Port(uint16(x.senderPort)), Details: socket.WithMemory}
	eventually(x.t, func() bool {
		out := x.Near("ss", "-HOtnm", "sport", "=", fmt.Sprint(":", x.senderPort))
		want = regexp.MustCompile(`skmem:\(([^)]*)\)`).FindStringSubmatch(out)[1]
		err := src.Each(x.t.Context(), q, func(s *socket.Socket) error {
			var values []string
			for _, of := range []struct {
				name  string
				value socket.MemoryValue
			}{
				{"r", socket.MemoryReceived}, {"rb", socket.MemoryRcvbuf}, {"t", socket.MemorySent}, {"tb", socket.MemorySndbuf},
				{"f", socket.MemoryForward}, {"w", socket.MemoryQueued}, {"o", socket.MemoryOptions}, {"bl", socket.MemoryBacklog}, {"d", socket.MemoryDrops},
			} {
				n, _ := s.Details.Memory.Get(of.value)
				values = append(values, fmt.Sprint(of.name, n))
			}
			got = strings.Join(values, ",")
			return nil
		})
		if err != nil {
			x.t.Fatal(err)
		}
		return got == want
	})
}

// fill writes until no more is taken, and gives how much was.
func (x *transfer) fill() (written int) {
	x.t.Helper()
	for {
		if err := x.sender.SetWriteDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
			x.t.Fatal(err)
		}
		n, err := x.sender.Write(make([]byte, 1049))
		written += n
		if errors.Is(err, os.ErrDeadlineExceeded) {
			return written
		}
		if err != nil {
			x.t.Fatal(err)
		}
	}
}

// TestConnsStalledReader has a receiver that does not read: its window closes.
func TestConnsStalledReader(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	x := newTransfer(t)
	if err := x.sender.SetWriteBuffer(256 << 10); err != nil {
		t.Fatal(err)
	}
	written := x.fill()
	var near values
	eventually(t, func() bool {
		near = x.near()
		return near.number("swnd") == 0
	})
	far := x.far()
	positive(t, "sender", near, "unsent", "rwndlimited", "busytime")
	checkValues(t, "receiver", far, map[string]float64{"rqueue": far.number("inbytes"), "rwnd": 0})
	if sum := near.number("outbytes") + near.number("unsent"); sum != float64(written) {
		t.Errorf("outbytes %v and unsent %v are %v, %d were written", near["outbytes"], near["unsent"], sum, written)
	}
	if sum := near.number("outbytes") - near.number("suna"); sum != far.number("inbytes") {
		t.Errorf("outbytes %v less suna %v is %v, %v were received", near["outbytes"], near["suna"], sum, far["inbytes"])
	}
	if sum := near.number("suna") + near.number("unsent"); sum != near.number("wqueue") {
		t.Errorf("suna %v and unsent %v are %v, the queue has %v", near["suna"], near["unsent"], sum, near["wqueue"])
	}
}

// TestConnsSlowReader has a receiver that reads a little now and then.
func TestConnsSlowReader(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	x := newTransfer(t)
	if err := x.sender.SetWriteBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	if err := x.receiver.SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	written := make(chan error, 1)
	go func() { written <- x.write() }()
	var read int64
	unsent := 0.0
	const step = 100_000
	for range 8 {
		x.receive(step)
		read += step
		far := x.far()
		near := x.near() // afterwards, since it goes on
		unsent = max(unsent, near.number("unsent"))
		if in := far.number("inbytes"); in != float64(read)+far.number("rqueue") {
			t.Errorf("%v bytes are received, %d of them read and %v not", in, read, far["rqueue"])
		}
		if near.number("outbytes") < far.number("inbytes") {
			t.Errorf("%v bytes are sent, %v received", near["outbytes"], far["inbytes"])
		}
	}
	if unsent == 0 {
		t.Error("the sender never had to wait")
	}
	x.receive(mebibyte - read)
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	near := x.near()
	checkValues(t, "sender", near, map[string]float64{"outbytes": mebibyte, "unsent": 0})
	checkValues(t, "receiver", x.far(), map[string]float64{"inbytes": mebibyte, "rqueue": 0})
	positive(t, "sender", near, "rwndlimited")
}

// TestConnsLoss has packets dropped on their way.
func TestConnsLoss(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	if _, err := exec.LookPath("nft"); err != nil {
		testhost.SkipOrFail(t, "needs nft (Debian: nftables)")
	}
	x := newTransfer(t)
	x.Near("ip", "link", "set", "near", "gso_max_segs", "1") // a packet is a segment
	x.Far("nft", "add", "table", "ip", "loss")
	x.Far("nft", "add", "chain", "ip", "loss", "input", "{ type filter hook input priority 0; }")
	x.Far("nft", "add", "rule", "ip", "loss", "input", "tcp", "dport", fmt.Sprint(x.receivePort), "numgen", "inc", "mod", "20", "5", "counter", "drop")
	written := make(chan error, 1)
	go func() { written <- x.write() }()
	x.receive(mebibyte)
	if err := <-written; err != nil {
		t.Fatal(err)
	}
	var near values
	eventually(t, func() bool {
		near = x.near()
		return near.number("suna") == 0
	})
	far := x.far()
	dropped := 0
	rules := x.Far("nft", "list", "table", "ip", "loss")
	if _, err := fmt.Sscanf(rules[strings.Index(rules, "packets"):], "packets %d", &dropped); err != nil || dropped == 0 {
		t.Fatalf("%v: %s", err, rules)
	}
	checkValues(t, "sender", near, map[string]float64{"outbytes": mebibyte, "unsent": 0})
	checkValues(t, "receiver", far, map[string]float64{"inbytes": mebibyte, "retransbytes": 0})
	positive(t, "sender", near, "retransbytes", "retranssegs")
	positive(t, "receiver", far, "inunordersegs")
	// What was dropped was sent again, but for acknowledgments; and hardly more.
	if again := near.number("retranssegs"); again < 1 || again > 3*float64(dropped)+10 {
		t.Errorf("%d packets were dropped, %v segments sent again", dropped, again)
	}
	t.Logf("%d packets dropped; %v segments, %v bytes sent again", dropped, near["retranssegs"], near["retransbytes"])
}

// TestConnsSYNSentAgain has a SYN that is sent again, which is no data.
func TestConnsSYNSentAgain(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	h := testhost.New(t)
	h.Connect(testhost.IPv4, 6000, 5432, testhost.SynSent)
	eventually(t, func() bool {
		out, err := exec.Command("ss", "-HOtin", "state", "syn-sent").Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(out), "retrans:1/1")
	})
	if got := conns(t, "-P", "-o", "state,outsegs,retranssegs,retransbytes,suna"); got != "SYN_SENT,0,0,0,1\n" {
		t.Errorf("got %q", got)
	}
}

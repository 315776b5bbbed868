package counters

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/golden"
	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/netstat/metric"
)

// fakeProc gives a procfs of files of testdata/proc, in which each figure that
// counts has a value of its own.
func fakeProc(t *testing.T) (root string) {
	t.Helper()
	root = t.TempDir()
	if err := os.CopyFS(root, os.DirFS("testdata/proc")); err != nil {
		t.Fatal(err)
	}
	for link, target := range map[string]string{"self": "1", "net": "self/net"} {
		if err := os.Symlink(target, filepath.Join(root, link)); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// fromFiles are the sets that procfs has.
var fromFiles = []*Set{tcp, udp, conntrack, interfaces}

// show writes the figures of sets, a line each, and errors.
func show(root string, sets ...*Set) string {
	var b strings.Builder
	for _, s := range sets {
		rows, err := s.Read(context.Background(), kernel.At(root))
		for _, row := range rows {
			for _, v := range row.Fields {
				fmt.Fprintf(&b, "%s %s = %v\n", strings.Join(append([]string{s.Name}, row.Tags...), " "), v.Key, v.Value)
			}
		}
		if err != nil {
			fmt.Fprintf(&b, "%s: %s\n", s.Name, strings.ReplaceAll(err.Error(), root, "ROOT"))
		}
	}
	return b.String()
}

func TestReadFiles(t *testing.T) {
	golden.Compare(t, "testdata/proc.golden", show(fakeProc(t), fromFiles...))
}

// TestReadFewerFiles has kernels that are without something: that is not an error.
// What procfs hides, and what is there and cannot be understood, is one, and does not keep the rest from
// being read.
func TestReadFewerFiles(t *testing.T) {
	remove := func(names ...string) func(t *testing.T, root string) {
		return func(t *testing.T, root string) {
			for _, name := range names {
				if err := os.RemoveAll(filepath.Join(root, name)); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	replace := func(name, pattern, by string) func(t *testing.T, root string) {
		return func(t *testing.T, root string) {
			path := filepath.Join(root, name)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			changed := regexp.MustCompile(pattern).ReplaceAll(text, []byte(by))
			if string(changed) == string(text) {
				t.Fatalf("%s does not have %s", name, pattern)
			}
			if err := os.WriteFile(path, changed, 0o644); err != nil {
				t.Fatal(err)
			}
		}
	}
	whole := show(fakeProc(t), fromFiles...)
	tests := []struct {
		name   string
		change func(t *testing.T, root string)
		gone   string   // which lines of the whole
		errors []string // what the lines of errors begin with
	}{
		{"nothing missing", remove(), `^$`, nil},
		{"no netstat", remove("net/netstat"), `^tcp (listen|syncookies|tcp)_`, []string{"tcp: listen_overflows, listen_drops, "}},
		{"no sockstat", remove("net/sockstat"), `^tcp (orphan|tw|mem) `, []string{"tcp: orphan, tw, mem: left out, because ROOT/self/net/sockstat is not there: ROOT is not a procfs; "}},
		{"no snmp", remove("net/snmp"), `^(tcp ([^lstom]|syn$|out)\w+ |udp 4)`, []string{"tcp: active_opens, passive_opens, ", "udp: read ROOT/self/net/snmp: "}},
		{"none of TCP's", remove("net/snmp", "net/netstat", "net/sockstat"), `^(tcp|udp 4)`,
			[]string{"tcp: read ROOT/self/net/snmp: ", "read ROOT/self/net/netstat: ", "read ROOT/self/net/sockstat: ", "udp: read ROOT/self/net/snmp: "}},
		{"no IPv6", remove("net/snmp6"), `^udp 6`, nil},
		{"an older kernel", replace("net/netstat", `TCPAbortOnMemory`, "TCPAbortOnOther"), `^tcp tcp_abort_on_memory`, nil},
		{"no conntrack", remove("sys/net/netfilter", "net/stat"), `^conntrack`, nil},
		{"no CONFIG_NF_CONNTRACK_PROCFS", remove("net/stat"), `^conntrack (drop|early_drop|insert_failed) `, nil},
		{"no limit of conntrack", replace("sys/net/netfilter/nf_conntrack_max", `160`, "0"), `^conntrack (max|used_percent) `, nil},
		{"netstat is cut off", replace("net/netstat", `(?s)\d+\nIpExt.*`, ""), `^tcp (listen|syncookies|tcp)_`, []string{"tcp: read ROOT/self/net/netstat: TcpExt: has "}},
		{"netstat has a word", replace("net/netstat", `TcpExt: \d+`, "TcpExt: many"), `^tcp (listen|syncookies|tcp)_`, []string{"tcp: read ROOT/self/net/netstat: TcpExt: \"SyncookiesSent\": "}},
		{"netstat is another", replace("net/netstat", `(?s).*`, ""), `^tcp (listen|syncookies|tcp)_`, []string{"tcp: read ROOT/self/net/netstat: there is no line TcpExt:"}},
		{"conntrack has a word", replace("sys/net/netfilter/nf_conntrack_count", `42`, "many"), `^conntrack`, []string{"conntrack: read ROOT/sys/net/netfilter/nf_conntrack_count: "}},
		{"conntrack's sysctls are hidden", remove("sys"), `^conntrack (entries|max|used_percent) `,
			[]string{"conntrack: max, used_percent: left out, because ROOT/sys/net/netfilter/nf_conntrack_max is not there: "}},
		{"all of conntrack is hidden", remove("sys", "net/stat"), `^conntrack`,
			[]string{"conntrack: all: left out, because ROOT/sys/net/netfilter/nf_conntrack_count is not there: "}},
		{"a short line of interfaces", replace("net/dev", `(?m)(lo: +\d+).*$`, "$1"), `^interface`, []string{"interface: read ROOT/self/net/dev: not in the expected form: "}},
		{"no colon in interfaces", replace("net/dev", `lo:`, "lo"), `^interface`, []string{"interface: read ROOT/self/net/dev: "}},
		{"snmp has no number", replace("net/snmp", `(?m)^Tcp: \d.*$`, "Tcp: nan -1"), `^(tcp ([^lstom]|syn$|out)\w+ |udp 4)`, []string{"tcp: read ROOT/self/net/snmp: ", "udp: read ROOT/self/net/snmp: "}},
		{"no table of interfaces", remove("net/dev"), `^interface`, []string{"interface: read ROOT/self/net/dev: "}},
		{"another process namespace", remove("self"), `^(tcp|udp|interface|conntrack (drop|early_drop|insert_failed)) `,
			[]string{"tcp: find this process in procfs, ", "udp: find this process in procfs, ", "conntrack: find this process in procfs, ", "interface: find this process in procfs, "}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			root := fakeProc(t)
			tt.change(t, root)
			gone := regexp.MustCompile(tt.gone)
			var want, got, errs []string
			for line := range strings.Lines(whole) {
				if !gone.MatchString(line) {
					want = append(want, line)
				}
			}
			for line := range strings.Lines(show(root, fromFiles...)) {
				switch {
				case !strings.Contains(line, " = "):
					errs = append(errs, line)
				case tt.name == "no limit of conntrack" && line == "conntrack max = 0\n":
				case tt.name == "conntrack's sysctls are hidden" && strings.HasPrefix(line, "conntrack entries = "): // as net/stat has it
				default:
					got = append(got, line)
				}
			}
			if strings.Join(got, "") != strings.Join(want, "") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, ""), strings.Join(want, ""))
			}
			if len(errs) != len(tt.errors) {
				t.Fatalf("the errors are %q, want %q", errs, tt.errors)
			}
			for i, e := range errs {
				if !strings.HasPrefix(e, tt.errors[i]) {
					t.Errorf("the error is %q, want %q", e, tt.errors[i])
				}
			}
		})
	}
}

// TestReadNoProcfs has HOST_PROC name a folder that is not there.
func TestReadNoProcfs(t *testing.T) {
	for _, s := range []*Set{tcp, udp, interfaces} {
		rows, err := s.Read(context.Background(), kernel.At(filepath.Join(t.TempDir(), "none")))
		if len(rows) > 0 || err == nil || !strings.Contains(err.Error(), "HOST_PROC") {
			t.Errorf("%s: %d rows and the error %v, want one that names HOST_PROC", s.Name, len(rows), err)
		}
	}
}

// TestSets holds what a Set promises: fields that differ, all documented, and
// values that are its fields.
func TestSets(t *testing.T) {
	for _, s := range Sets() {
		if Find(s.Name) != s {
			t.Errorf("Find(%q) is another set", s.Name)
		}
		known := map[string]*metric.Desc{}
		for _, f := range s.Fields {
			if known[f.Key] != nil || f.Key == "" || f.Source == "" {
				t.Errorf("%s has the field %+v", s.Name, f)
			}
			known[f.Key] = f
		}
		rows, err := s.Read(context.Background(), kernel.At("/proc"))
		if err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
		for _, row := range rows {
			if len(row.Tags) != len(s.Tags) || len(row.Fields) == 0 {
				t.Errorf("%s has a row with the tags %q of %q and %d values", s.Name, row.Tags, s.Tags, len(row.Fields))
			}
			for _, v := range row.Fields {
				if f := known[v.Key]; f != v.Desc {
					t.Errorf("%s has a value of %+v, which is none of its fields", s.Name, v.Desc)
				}
				switch v.Value.Any().(type) {
				case int64, float64, string:
				default:
					t.Errorf("%s %s is a %T", s.Name, v.Key, v.Value.Any())
				}
			}
		}
	}
	if Find("tpc") != nil {
		t.Error("there is a set tpc")
	}
}

func FuzzParseTCPExt(f *testing.F) {
	text, err := os.ReadFile("testdata/proc/1/net/netstat")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(text))
	f.Add("TcpExt: A B\nTcpExt: 1 2\n")
	f.Add("TcpExt: A B\nTcpExt: 1\n")
	f.Add("IpExt: A\nIpExt: 1\nTcpExt:\n")
	f.Fuzz(func(t *testing.T, text string) {
		ext, err := parseTCPExt(text)
		for name := range ext {
			if err != nil || !strings.Contains(text, name) {
				t.Errorf("%q from %q, with the error %v", name, text, err)
			}
		}
	})
}

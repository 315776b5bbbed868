package socket

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

const testProc = "../../testdata/proc"

// collect lists what a source gives.
func collect(t *testing.T, src Source, q Query) ([]Socket, error) {
	t.Helper()
	var all []Socket
	err := src.Each(context.Background(), q, func(s *Socket) error {
		all = append(all, *s)
		return nil
	})
	if err := src.Close(); err != nil {
		t.Errorf("close: %v", err)
	}
	return all, err
}

// needLittleEndian skips where the kernel prints addresses in another order
// than in the files of testdata.
func needLittleEndian(t testing.TB) {
	if binary.NativeEndian.Uint16([]byte{1, 0}) != 1 {
		t.Skip("testdata/proc is from a little-endian machine")
	}
}

func ap(s string) netip.AddrPort { return netip.MustParseAddrPort(s) }

func TestProcfs(t *testing.T) {
	needLittleEndian(t)
	want := map[Table][]Socket{
		// Rows 5 and 6 repeat 2 and 3; rows 0 and 1 are two listeners with
		// SO_REUSEPORT.
		TCP4: {
			{Protocol: TCP, State: StateListen, Local: ap("127.0.0.1:8080"), Remote: ap("0.0.0.0:0"), RecvQueue: 3, UID: 1000, Inode: 41001},
			{Protocol: TCP, State: StateListen, Local: ap("127.0.0.1:8080"), Remote: ap("0.0.0.0:0"), UID: 1000, Inode: 41002},
			{Protocol: TCP, State: StateEstablished, Local: ap("10.0.0.1:443"), Remote: ap("10.0.0.2:50000"), RecvQueue: 256, SendQueue: 36, UID: 33, Inode: 41003},
			{Protocol: TCP, State: StateTimeWait, Local: ap("10.0.0.1:443"), Remote: ap("10.0.0.2:50001")},
			{Protocol: TCP, State: StateSynRecv, Local: ap("10.0.0.1:443"), Remote: ap("10.0.0.2:50002")},
			{Protocol: TCP, State: StateSynRecv, Local: ap("10.0.0.1:443"), Remote: ap("10.0.0.2:50003")},
		},
		TCP6: {
			{Protocol: TCP, State: StateListen, Local: ap("[::]:80"), Remote: ap("[::]:0"), Inode: 42001},
			{Protocol: TCP, State: StateEstablished, Local: ap("10.0.0.1:80"), Remote: ap("10.0.0.2:50000"), Inode: 42002},
			{Protocol: TCP, State: StateCloseWait, Local: ap("[2001:db8::1]:80"), Remote: ap("[2001:db8::2]:50000"), RecvQueue: 1, Inode: 42003},
		},
		UDP4: {
			{Protocol: UDP, State: StateClose, Local: ap("0.0.0.0:68"), Remote: ap("0.0.0.0:0"), Inode: 43001},
			{Protocol: UDP, State: StateEstablished, Local: ap("10.0.0.1:53"), Remote: ap("10.0.0.2:54321"), RecvQueue: 512, UID: 101, Inode: 43002},
		},
		UDP6: nil, // there is no file: a kernel without IPv6
	}
	for table, want := range want {
		t.Run(table.String(), func(t *testing.T) {
			got, err := collect(t, newProcfs(testProc), Query{Tables: []Table{table}})
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("got  %+v\nwant %+v", got, want)
			}
		})
	}
	t.Run("states", func(t *testing.T) {
		got, err := collect(t, newProcfs(testProc), Query{States: States(StateListen)})
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 3+2 {
			t.Errorf("got %d sockets, want 3 listeners and, states being TCP's, 2 of UDP: %+v", len(got), got)
		}
	})
}

func TestProcfsHostProc(t *testing.T) {
	t.Setenv("HOST_PROC", "/host/proc")
	if got := (Options{}).host().Proc(); got != "/host/proc" {
		t.Errorf("with HOST_PROC=/host/proc it reads %s", got)
	}
	t.Setenv("HOST_PROC", "")
	if got := (Options{}).host().Proc(); got != "/proc" {
		t.Errorf("with HOST_PROC empty it reads %s", got)
	}
}

func TestProcfsErrors(t *testing.T) {
	needLittleEndian(t)
	t.Run("no procfs", func(t *testing.T) {
		got, err := collect(t, newProcfs(t.TempDir()), Query{})
		if !errors.Is(err, fs.ErrNotExist) || len(got) > 0 {
			t.Errorf("got %v and error %v, want nothing and %v", got, err, fs.ErrNotExist)
		}
		for _, table := range []string{"net/tcp:", "table udp6:"} {
			if !strings.Contains(err.Error(), table) {
				t.Errorf("the error does not name %s %v", table, err)
			}
		}
	})
	t.Run("a row that is none", func(t *testing.T) {
		good, err := os.ReadFile(filepath.Join(testProc, "net", "udp"))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(string(good), "\n")
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, "net"), 0o755); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(dir, "net", "udp")
		if err := os.WriteFile(path, []byte(lines[0]+"junk\n"+lines[1]+lines[2]), 0o644); err != nil {
			t.Fatal(err)
		}
		got, err := collect(t, newProcfs(dir), Query{Tables: []Table{UDP4}})
		if len(got) != 2 {
			t.Errorf("got %d sockets beside the row, want 2", len(got))
		}
		if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "line 2") {
			t.Errorf("the error does not name %s and line 2: %v", path, err)
		}
	})
}

// TestProcfsSharedInode has rows that share an inode, as the subflows of an MPTCP
// connection do, and one that the kernel repeats.
func TestProcfsSharedInode(t *testing.T) {
	needLittleEndian(t)
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "net"), 0o755); err != nil {
		t.Fatal(err)
	}
	rows := "heading\n"
	for _, port := range []int{0x1001, 0x1002, 0x1003, 0x1003} {
		rows += fmt.Sprintf("   0: 0100007F:1F90 0100007F:%04X 01 00000000:00000000 00:00000000 00000000  1000        0 41001 1\n", port)
	}
	if err := os.WriteFile(filepath.Join(dir, "net", "tcp"), []byte(rows), 0o644); err != nil {
		t.Fatal(err)
	}
	got, err := collect(t, newProcfs(dir), Query{Tables: []Table{TCP4}})
	if err != nil || len(got) != 3 {
		t.Errorf("got %v and error %v, want 3 sockets", got, err)
	}
}

// TestParseProcNetLongFile has rows across the ends of the reader's buffer.
func TestParseProcNetLongFile(t *testing.T) {
	needLittleEndian(t)
	row := "   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 41001 1 ffff8881053b0000 100 0 0 10 0\n"
	const n = 5000
	got := 0
	err := parseProcNet(context.Background(), strings.NewReader("heading\n"+strings.Repeat(row, n)), TCP4, func(s *Socket) error {
		got++
		if s.Inode != 41001 {
			t.Fatalf("row %d: %+v", got, s)
		}
		return nil
	})
	if err != nil || got != n {
		t.Errorf("got %d rows and error %v, want %d", got, err, n)
	}
}

func FuzzParseProcNet(f *testing.F) {
	for _, table := range tables {
		if text, err := os.ReadFile(filepath.Join(testProc, "net", table.String())); err == nil {
			f.Add(text, uint8(table))
		}
	}
	f.Fuzz(func(t *testing.T, text []byte, n uint8) {
		table := tables[int(n)%len(tables)]
		rows := 0
		_ = parseProcNet(context.Background(), strings.NewReader(string(text)), table, func(s *Socket) error {
			rows++
			if int(s.State) >= NumStates || !s.Local.IsValid() || s.Protocol != table.Protocol() {
				t.Errorf("impossible socket %+v", s)
			}
			return nil
		})
		if lines := strings.Count(string(text), "\n"); rows > lines {
			t.Errorf("%d sockets from %d lines", rows, lines)
		}
	})
}

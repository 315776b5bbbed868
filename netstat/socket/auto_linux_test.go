package socket

import (
	"context"
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/l4stat/l4stat/internal/fakediag"
)

// fakeAuto falls back on the tables of testdata/proc.
func fakeAuto(t *testing.T, dial func() (Conn, error), warn func(string)) *auto {
	needLittleEndian(t)
	return &auto{netlink: &netlink{dial: dial}, procfs: newProcfs(testProc), warn: warn}
}

const procTCP, procUDP = 6 + 3, 2 // sockets in testdata/proc

func countTables(t *testing.T, src Source) (tcp, udp int, err error) {
	t.Helper()
	err = src.Each(context.Background(), Query{}, func(s *Socket) error {
		if s.Protocol == TCP {
			tcp++
		} else {
			udp++
		}
		return nil
	})
	return tcp, udp, err
}

func TestAutoFallsBack(t *testing.T) {
	refusals := map[string]error{
		"EPERM": os.NewSyscallError("socket", syscall.EPERM), "EACCES": syscall.EACCES, "ENOENT": syscall.ENOENT,
		"EPROTONOSUPPORT": os.NewSyscallError("socket", syscall.EPROTONOSUPPORT), "ENOSYS": syscall.ENOSYS, "EINVAL": syscall.EINVAL,
	}
	for name, refusal := range refusals {
		t.Run(name, func(t *testing.T) {
			var warnings []string
			dials := 0
			src := fakeAuto(t, func() (Conn, error) { dials++; return nil, refusal }, func(m string) { warnings = append(warnings, m) })
			for range 3 {
				tcp, udp, err := countTables(t, src)
				if err != nil || tcp != procTCP || udp != procUDP {
					t.Errorf("got %d TCP and %d UDP sockets, error %v; want %d and %d", tcp, udp, err, procTCP, procUDP)
				}
			}
			if len(warnings) != 1 || !strings.Contains(warnings[0], testProc) {
				t.Errorf("want one warning that names %s, got %q", testProc, warnings)
			}
			const dumps = 3 // TCP, and a table of UDP for each IP version
			if dials != dumps {
				t.Errorf("tried netlink %d times, want once for each of the %d dumps", dials, dumps)
			}
		})
	}
}

// TestAutoOneTable has a kernel without udp_diag: TCP stays with netlink.
func TestAutoOneTable(t *testing.T) {
	kernel := fakediag.New(fakeSockets(10))
	kernel.Refuse(false, 17, syscall.ENOENT)
	kernel.Refuse(true, 17, syscall.ENOENT)
	warnings := 0
	src := fakeAuto(t, func() (Conn, error) { return kernel.Dial(), nil }, func(string) { warnings++ })
	for range 2 {
		tcp, udp, err := countTables(t, src)
		if err != nil || tcp != 10 || udp != procUDP {
			t.Errorf("got %d TCP and %d UDP sockets, error %v; want 10 and %d", tcp, udp, err, procUDP)
		}
	}
	if warnings != 1 {
		t.Errorf("%d warnings, want 1", warnings)
	}
}

// TestAutoAsksAgain has a kernel that refuses and after a while does not: netlink
// is back, without a word.
func TestAutoAsksAgain(t *testing.T) {
	kernel := fakediag.New(fakeSockets(10))
	refuse, dials, warnings := true, 0, 0
	src := fakeAuto(t, func() (Conn, error) {
		dials++
		if refuse {
			return nil, syscall.EPERM
		}
		return kernel.Dial(), nil
	}, func(string) { warnings++ })
	expect := func(when string, wantTCP, wantUDP, wantDials int) {
		t.Helper()
		tcp, udp, err := countTables(t, src)
		if err != nil || tcp != wantTCP || udp != wantUDP || dials != wantDials {
			t.Errorf("%s: %d TCP and %d UDP sockets with %d dials, error %v; want %d, %d and %d",
				when, tcp, udp, dials, err, wantTCP, wantUDP, wantDials)
		}
	}
	pass := func() {
		for i := range src.again {
			src.again[i] = src.again[i].Add(-askAgain)
		}
	}
	expect("refused", procTCP, procUDP, 3)
	expect("soon after", procTCP, procUDP, 3)
	pass()
	expect("refused again", procTCP, procUDP, 6)
	expect("soon after that", procTCP, procUDP, 6)
	pass()
	refuse = false
	expect("allowed", 10, 1, 7)
	if src.again != [len(tables)]time.Time{} || warnings != 1 {
		t.Errorf("refused until %v, with %d warnings; want netlink for good and 1 warning", src.again, warnings)
	}
}

// TestAutoFilterRefused has a kernel that dumps but does not filter by port.
// That is no reason to leave netlink, nor to warn.
func TestAutoFilterRefused(t *testing.T) {
	kernel := fakediag.New(fakeSockets(10)) // on ports 8000 to 8009
	kernel.RefuseFilter()
	src := fakeAuto(t, func() (Conn, error) { return kernel.Dial(), nil }, func(m string) { t.Errorf("warning: %s", m) })
	for range 2 {
		n := 0
		err := src.Each(context.Background(), Query{LocalPorts: Port(8003)}, func(*Socket) error { n++; return nil })
		if err != nil || n != 1 {
			t.Errorf("got %d sockets of one port, error %v; want 1", n, err)
		}
		if tcp, udp, err := countTables(t, src); err != nil || tcp != 10 || udp != 1 {
			t.Errorf("got %d TCP and %d UDP sockets, error %v; want 10 and 1", tcp, udp, err)
		}
	}
	if src.again != [len(tables)]time.Time{} {
		t.Error("netlink is given up for a filter")
	}
}

// TestAutoStays has errors that are no refusal: what was counted is not counted
// again, and what passes is tried again.
func TestAutoStays(t *testing.T) {
	t.Run("a dump that breaks", func(t *testing.T) {
		kernel := fakediag.New(fakeSockets(10))
		kernel.Break(false, 6, syscall.EPERM)
		tcp, _, err := countTables(t, fakeAuto(t, func() (Conn, error) { return kernel.Dial(), nil }, nil))
		if tcp != 10 || !errors.Is(err, syscall.EPERM) {
			t.Errorf("got %d sockets and error %v, want the 10 of the dump and %v", tcp, err, syscall.EPERM)
		}
	})
	t.Run("out of descriptors", func(t *testing.T) {
		src := fakeAuto(t, func() (Conn, error) { return nil, os.NewSyscallError("socket", syscall.EMFILE) }, nil)
		if tcp, udp, err := countTables(t, src); tcp+udp > 0 || !errors.Is(err, syscall.EMFILE) {
			t.Errorf("got %d sockets and error %v, want %v", tcp+udp, err, syscall.EMFILE)
		}
		if src.again != [len(tables)]time.Time{} {
			t.Error("netlink is given up for lack of descriptors")
		}
	})
	t.Run("neither works", func(t *testing.T) {
		src := fakeAuto(t, func() (Conn, error) { return nil, syscall.EPERM }, func(string) { t.Error("warned of a fallback that failed") })
		src.procfs = newProcfs(t.TempDir())
		if _, _, err := countTables(t, src); !errors.Is(err, syscall.EPERM) || !errors.Is(err, os.ErrNotExist) {
			t.Errorf("the error has not both causes: %v", err)
		}
	})
}

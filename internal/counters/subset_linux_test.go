package counters

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/internal/testhost"
)

// TestReadSubsetPID has procfs mounted with subset=pid, which has no /proc/net and
// no /proc/sys: every figure is there but for those of sysctls, and of these it is
// said that they are missing, and why.
func TestReadSubsetPID(t *testing.T) {
	if !testhost.Enter(t) {
		return
	}
	root := t.TempDir()
	// The mount is this thread's, which ends with the test.
	runtime.LockOSThread()
	if err := errors.Join(unix.Unshare(unix.CLONE_NEWNS), unix.Mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, ""),
		unix.Mount("proc", root, "proc", 0, "subset=pid")); err != nil {
		testhost.SkipOrFail(t, "cannot mount procfs with subset=pid (Linux 5.8, root): "+err.Error())
	}
	t.Cleanup(func() { _ = unix.Unmount(root, unix.MNT_DETACH) })
	keys := func(root string, s *Set) (keys []string, err error) {
		rows, err := s.Read(context.Background(), kernel.At(root))
		for _, row := range rows {
			for _, v := range row.Fields {
				keys = append(keys, strings.Join(append(row.Tags, v.Key), " "))
			}
		}
		return keys, err
	}
	for _, s := range []*Set{tcp, udp, interfaces, routes} {
		want, err := keys("/proc", s)
		got, subsetErr := keys(root, s)
		if err != nil || subsetErr != nil || len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("%s has %q and the error %v, want %q (%v)", s.Name, got, subsetErr, want, err)
		}
	}

	rows, err := conntrack.Read(context.Background(), kernel.At(root))
	var gone Missing
	if !errors.As(err, &gone) || len(gone) != 1 {
		t.Fatalf("conntrack gave %v and the error %v, want one Missing", rows, err)
	}
	want := fmt.Sprintf("left out, because %s/sys/net/netfilter/nf_conntrack_", root)
	if text := err.Error(); !strings.Contains(text, want) || !strings.Contains(text, root+" shows processes alone (subset=pid); mount a procfs without that option and name it in HOST_PROC") {
		t.Errorf("the error is %q, want %q and what helps", text, want)
	}
}

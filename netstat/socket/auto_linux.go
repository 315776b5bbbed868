package socket

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"syscall"
	"time"
)

// auto reads a table by netlink, and from procfs where the kernel refuses. It
// decides for each dump: a kernel may lack udp_diag alone. What was refused is
// asked for again now and then, since a module may be loaded and a filter or a
// policy lifted.
type auto struct {
	netlink *netlink
	procfs  *procfs
	again   [len(tables)]time.Time // when to ask again; zero if it was not refused
	warn    func(string)           // nil once it has been called
}

// askAgain is how long a refusal stands. Asking costs a system call or three.
const askAgain = 5 * time.Minute

func newAuto(o Options) Source {
	return &auto{
		netlink: newNetlink(o),
		procfs:  openProcfs(o),
		warn:    o.Warn,
	}
}

func (a *auto) Close() error { return a.netlink.Close() }

func (a *auto) Each(ctx context.Context, q Query, fn func(*Socket) error) error {
	return eachTable(ctx, q, fn, dumps, a.each)
}

func (a *auto) each(ctx context.Context, tables []Table, q Query, fn func(*Socket) error) error {
	if now := time.Now(); slices.ContainsFunc(tables, func(t Table) bool { return now.Before(a.again[t]) }) {
		return single(a.procfs.each)(ctx, tables, q, fn)
	}
	// What was counted already cannot be taken back, so procfs is for a dump
	// that never began.
	began := false
	err := a.netlink.each(ctx, tables, q, func(s *Socket) error {
		began = true
		return fn(s)
	})
	if began || !isRefusal(err) {
		if err == nil {
			for _, t := range tables {
				a.again[t] = time.Time{}
			}
		}
		return err
	}
	return single(func(ctx context.Context, t Table, q Query, fn func(*Socket) error) error {
		if procErr := a.procfs.each(ctx, t, q, fn); procErr != nil {
			return fmt.Errorf("%w; nor could procfs be read instead: %w", err, procErr)
		}
		a.again[t] = time.Now().Add(askAgain)
		if a.warn != nil {
			a.warn(fmt.Sprintf("reading %s/net instead of sock_diag, with the same counts at a higher cost: %v", a.procfs.root, err))
			a.warn = nil
		}
		return nil
	})(ctx, tables, q, fn)
}

// isRefusal reports whether the kernel has no sock_diag for this process: EPERM,
// EACCES, ENOENT, EPROTONOSUPPORT and the like, or whatever number a seccomp
// filter answers with. EINVAL is one too: it is not about the filter by port,
// since netlink has asked without. Being out of memory or descriptors is none.
func isRefusal(err error) bool {
	var errno syscall.Errno
	if !errors.As(err, &errno) {
		return false
	}
	switch errno {
	case syscall.ENOMEM, syscall.ENOBUFS, syscall.EMFILE, syscall.ENFILE, syscall.EINTR, syscall.EBADF, syscall.EBUSY:
		return false
	}
	return true
}

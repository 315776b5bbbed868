package counters

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"

	"github.com/prometheus/procfs"
	"golang.org/x/sys/unix"

	"github.com/l4stat/l4stat/internal/guard"
	"github.com/l4stat/l4stat/internal/kernel"
	"github.com/l4stat/l4stat/netstat/metric"
)

// gauge describes a gauge.
func gauge(key, source, unit string) metric.Desc {
	return metric.Desc{Key: key, Source: source, Unit: unit}
}

// snmpFigure makes a figure of one that procfs has as a float64, nil where the
// kernel does not have it. Beyond 2^53 it is off by a little.
func snmpFigure[S any](f metric.Desc, get func(*S) *float64) figure[S] {
	return figure[S]{f, func(s *S) (int64, bool) {
		x := get(s)
		if x == nil || !(*x >= 0 && *x < math.MaxInt64) {
			return 0, false
		}
		return int64(*x), true
	}}
}

// counterFigure makes a counter of one that is always there. A float64 would not
// do: a fast interface passes 2^53 bytes in days.
func counterFigure[S any](key, source, unit string, get func(*S) uint64) figure[S] {
	return alwaysFigure(counter(key, source, unit), get)
}

// mounted returns procfs.
func mounted(host kernel.Host) (procfs.FS, error) {
	all, err := procfs.NewFS(host.Proc())
	if err != nil {
		return all, fmt.Errorf("%w; mount procfs and name it in HOST_PROC", err)
	}
	return all, nil
}

// self returns this process in procfs, since /proc/PID/net is of a process's
// network namespace.
func self(host kernel.Host) (procfs.Proc, error) {
	all, err := mounted(host)
	if err != nil {
		return procfs.Proc{}, err
	}
	proc, err := all.Self()
	if err != nil {
		return proc, fmt.Errorf("find this process in procfs, %s: %w; name the procfs of this process in HOST_PROC", host.Proc("self"), err)
	}
	return proc, nil
}

// selfFS returns the folder of this process, which has net as procfs itself has it.
// procfs itself may lack it: it is then mounted with subset=pid.
func selfFS(host kernel.Host) (procfs.FS, error) {
	proc, err := self(host)
	if err != nil {
		return procfs.FS{}, err
	}
	return procfs.NewFS(host.Proc(strconv.Itoa(proc.PID)))
}

// parse reads a file of this process, such as net/dev, by a parser of procfs. An
// error names the file.
func parse[T any](host kernel.Host, name string, read func() (T, error)) (T, error) {
	v, err := guard.Parse(read)
	if err != nil {
		var inner *fs.PathError // has the name once more
		if errors.As(err, &inner) {
			err = inner.Err
		}
		err = fmt.Errorf("read %s: %w", selfPath(host, name), err)
	}
	return v, err
}

// selfPath returns the path of a file of this process.
func selfPath(host kernel.Host, name string) string { return host.Proc("self", name) }

// NetSockstat reads /proc/net/sockstat, or sockstat6, by the namespace of this
// process. A kernel without IPv6 has no sockstat6, which is fs.ErrNotExist.
func NetSockstat(host kernel.Host, ipv6 bool) (*procfs.NetSockstat, error) {
	all, err := selfFS(host)
	if err != nil {
		return nil, err
	}
	if ipv6 {
		return parse(host, "net/sockstat6", all.NetSockstat6)
	}
	return parse(host, "net/sockstat", all.NetSockstat)
}

// absent reports whether a file is not there, as the kernel does without what it
// is about.
func absent(err error) bool { return errors.Is(err, fs.ErrNotExist) }

// missingError says which figures are left out, though the kernel has them,
// because procfs does not show their file.
type missingError struct {
	keys []string
	host kernel.Host
	path string
}

func (e *missingError) Error() string {
	return fmt.Sprintf("%s: left out, because %s is not there: %s", strings.Join(e.keys, ", "), e.path, whyMissing(e.host))
}

// keysOf returns the keys of the fields that a file has, such as net/snmp.
func keysOf(fields []*metric.Desc, file string) []string {
	var keys []string
	for _, f := range fields {
		if strings.HasPrefix(f.Source, "/proc/"+file+" ") {
			keys = append(keys, f.Key)
		}
	}
	return keys
}

// whyMissing says what may be wrong with procfs, and what helps.
func whyMissing(host kernel.Host) string {
	var info unix.Statfs_t
	_, err := os.Stat(host.Proc("sys"))
	switch {
	case unix.Statfs(host.Proc(), &info) == nil && int64(info.Type) != unix.PROC_SUPER_MAGIC:
		return host.Proc() + " is not a procfs; name one in HOST_PROC"
	case absent(err):
		return host.Proc() + " shows processes alone (subset=pid); mount a procfs without that option and name it in HOST_PROC"
	default:
		return "something hides it, or this kernel is without it"
	}
}

// with returns the error of a read that has errs besides.
func (m Missing) with(errs ...error) error {
	switch err := errors.Join(errs...); {
	case len(m) == 0:
		return err
	case err == nil:
		return m
	default:
		return errors.Join(err, m)
	}
}

package counters

import (
	"fmt"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// iphlpapi is Windows' IP Helper. Package windows wraps its interface table but
// not its statistics.
var iphlpapi = windows.NewLazySystemDLL("iphlpapi.dll")

// readStatistics calls a function such as GetTcpStatisticsEx, which fills in a
// structure with the figures of one IP version.
func readStatistics[S any](function *windows.LazyProc, family uint32) (s S, err error) {
	if err := function.Find(); err != nil {
		return s, err
	}
	if code, _, _ := function.Call(uintptr(unsafe.Pointer(&s)), uintptr(family)); code != 0 {
		return s, fmt.Errorf("%s: %w", function.Name, syscall.Errno(code))
	}
	return s, nil
}

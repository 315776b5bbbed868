package socket

import (
	"fmt"
	"math"
)

// PortRange is the ports First to Last, both included. The zero PortRange is
// every port, which is why port 0 alone cannot be asked for. One with First
// above Last has no ports, and Each refuses it.
type PortRange struct{ First, Last uint16 }

// Port is the range of one port. Port(0) is the zero PortRange.
func Port(port uint16) PortRange { return PortRange{port, port} }

// Has reports whether the port is in the range; the zero PortRange has every
// port.
func (r PortRange) Has(port uint16) bool {
	return r == PortRange{} || r.First <= port && port <= r.Last
}

// all reports whether the range leaves nothing out.
func (r PortRange) all() bool {
	return r == PortRange{} || r == PortRange{Last: math.MaxUint16}
}

// check refuses a range without ports: it is a mistake rather than a wish for
// nothing. side is "local" or "remote".
func (r PortRange) check(side string) error {
	if r.First > r.Last {
		return fmt.Errorf("the range of %s ports starts at %d, above its end at %d", side, r.First, r.Last)
	}
	return nil
}

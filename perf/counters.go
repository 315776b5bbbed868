package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// counters are what the kernel itself keeps about this namespace's sockets. It
// updates them as it goes, so that reading them is cheap and never walks a table.
type counters struct {
	start, end time.Time // of reading them

	// Cumulative ones, read before and again after the others.
	opened  [2]int // connections, from either side: Tcp: ActiveOpens, PassiveOpens
	expired [2]int // TIME_WAITs that went: TcpExt: TW, TWRecycled, TWKilled

	inUse    [2]int // TCP sockets of IPv4 and IPv6 but for TIME_WAIT and SYN_RECV: sockstat TCP: inuse, sockstat6 TCP6: inuse
	timeWait int    // of both: sockstat TCP: tw
	udp      [2]int // sockstat UDP: inuse, sockstat6 UDP6: inuse
}

func readCounters() (c counters, err error) {
	c.start = time.Now()
	for i := range 2 {
		snmp, err := readTable("/proc/net/snmp")
		if err != nil {
			return c, err
		}
		netstat, err := readTable("/proc/net/netstat")
		if err != nil {
			return c, err
		}
		c.opened[i] = snmp["Tcp:ActiveOpens"] + snmp["Tcp:PassiveOpens"]
		c.expired[i] = netstat["TcpExt:TW"] + netstat["TcpExt:TWRecycled"] + netstat["TcpExt:TWKilled"]
		if i == 0 {
			if err := c.readSockstat(); err != nil {
				return c, err
			}
		}
	}
	c.end = time.Now()
	return c, nil
}

func (c *counters) readSockstat() error {
	for i, name := range []string{"/proc/net/sockstat", "/proc/net/sockstat6"} {
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(text)) {
			f := strings.Fields(line)
			values := map[string]int{}
			for k := 1; k+1 < len(f); k += 2 {
				if values[f[k]], err = strconv.Atoi(f[k+1]); err != nil {
					return fmt.Errorf("%s: %s: %w", name, f[k], err)
				}
			}
			switch f[0] {
			case "TCP:", "TCP6:":
				c.inUse[i] = values["inuse"]
				c.timeWait += values["tw"]
			case "UDP:", "UDP6:":
				c.udp[i] = values["inuse"]
			}
		}
	}
	return nil
}

// readTable reads a file of pairs of lines, the names and then the values.
func readTable(name string) (map[string]int, error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	values := map[string]int{}
	lines := strings.Split(string(text), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		keys, numbers := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		if len(keys) != len(numbers) {
			return nil, fmt.Errorf("%s: %d names and %d values", name, len(keys), len(numbers))
		}
		for k := 1; k < len(keys); k++ {
			if values[keys[0]+keys[k]], err = strconv.Atoi(numbers[k]); err != nil {
				return nil, fmt.Errorf("%s: %s: %w", name, keys[k], err)
			}
		}
	}
	return values, nil
}

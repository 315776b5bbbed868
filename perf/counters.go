package main

import (
	"time"

	"github.com/prometheus/procfs"
)

// counters are what the kernel itself keeps about this namespace's sockets. It
// updates them as it goes, so that reading them never walks a table.
type counters struct {
	start, end time.Time // of reading them

	// Cumulative ones, read before and again after the others.
	opened [2]int // connections, from either side: Tcp: ActiveOpens, PassiveOpens
	waited [2]int // TIME_WAITs that began: TcpExt: TW, TWKilled (net/ipv4/inet_timewait_sock.c, __inet_twsk_schedule)

	inUse    [2]int // TCP sockets of IPv4 and IPv6 but for TIME_WAIT and SYN_RECV: sockstat TCP: inuse, sockstat6 TCP6: inuse
	timeWait int    // of both: sockstat TCP: tw
	udp      [2]int // sockstat UDP: inuse, sockstat6 UDP6: inuse
}

func readCounters() (c counters, err error) {
	fs, err := procfs.NewDefaultFS()
	if err != nil {
		return c, err
	}
	c.start = time.Now()
	if err := c.readCumulative(fs, 0); err != nil {
		return c, err
	}
	if err := c.readSockstat(fs); err != nil {
		return c, err
	}
	err = c.readCumulative(fs, 1)
	c.end = time.Now()
	return c, err
}

func (c *counters) readCumulative(fs procfs.FS, i int) error {
	self, err := fs.Self()
	if err != nil {
		return err
	}
	snmp, err := self.Snmp()
	if err != nil {
		return err
	}
	netstat, err := self.Netstat()
	if err != nil {
		return err
	}
	c.opened[i] = int(*snmp.ActiveOpens + *snmp.PassiveOpens)
	c.waited[i] = int(*netstat.TW + *netstat.TWKilled)
	return nil
}

func (c *counters) readSockstat(fs procfs.FS) error {
	for i, read := range []func() (*procfs.NetSockstat, error){fs.NetSockstat, fs.NetSockstat6} {
		stat, err := read()
		if err != nil {
			return err
		}
		for _, p := range stat.Protocols {
			switch p.Protocol {
			case "TCP", "TCP6":
				c.inUse[i] = p.InUse
				if p.TW != nil {
					c.timeWait = *p.TW
				}
			case "UDP", "UDP6":
				c.udp[i] = p.InUse
			}
		}
	}
	return nil
}

package watch

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/l4stat/l4stat/addrports"
	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/socket"
)

// PortsGroup is the name of the group that NewPorts makes.
const PortsGroup = "groups"

// NewPorts makes the group with a column for each addr_ports group of the
// configurations. A socket counts in the group of the first entry that matches
// it, in each configuration and on each side, as in the measurement netstat_port.
func NewPorts(configs []netstat.Config) (Group, error) {
	b := &Block{Title: "sockets by group", added: true}
	c := &portsCounter{}
	for _, config := range configs {
		if err := config.Validate(); err != nil {
			return Group{}, err
		}
		if err := c.add(config.Groups, len(b.Columns)); err != nil {
			return Group{}, err
		}
		for _, g := range config.Groups {
			b.Columns = append(b.Columns, Column{Name: groupName(&g), Meaning: strings.Join(g.Entries(), ", "), Source: fromSockets})
		}
	}
	distinct(b.Columns)
	c.n = make([]int, len(b.Columns))
	b.sockets = c
	g := Group{Name: PortsGroup, About: "connections that are ESTABLISHED, and UDP sockets, of each addr_ports group", Blocks: []*Block{b}}
	g.own()
	return g, nil
}

// groupName is the value of a group's tag service, else of its first tag, else
// its entries.
func groupName(g *netstat.Group) string {
	name := strings.Join(g.Entries(), ",")
	if keys := slices.Sorted(maps.Keys(g.Tags)); len(keys) > 0 {
		name = g.Tags[keys[0]]
	}
	if service := g.Tags["service"]; service != "" {
		name = service
	}
	const longest = 12
	return runewidth.Truncate(name, longest, "")
}

// distinct numbers columns that would have one name.
func distinct(columns []Column) {
	seen := map[string]int{}
	for i := range columns {
		name := columns[i].Name
		if seen[name]++; seen[name] > 1 {
			columns[i].Name = fmt.Sprintf("%s#%d", name, seen[name])
		}
	}
}

// portsCounter counts sockets by group.
type portsCounter struct {
	n       []int
	configs []portsConfig
}

// portsConfig is the groups of a configuration.
type portsConfig struct {
	matcher *addrports.Matcher
	column  []int // by entry
}

// add adds the groups of a configuration. first is the column of groups[0].
func (c *portsCounter) add(groups []netstat.Group, first int) error {
	var p portsConfig
	all := make([]addrports.Group, len(groups))
	for i, g := range groups {
		var err error
		if all[i], err = g.AddrPorts(); err != nil {
			return err
		}
		for range all[i].Entries {
			p.column = append(p.column, first+i)
		}
	}
	p.matcher = addrports.NewMatcher(all)
	c.configs = append(c.configs, p)
	return nil
}

func (c *portsCounter) tables() []socket.Table {
	return []socket.Table{socket.TCP4, socket.TCP6, socket.UDP4, socket.UDP6}
}

func (c *portsCounter) reset()            { clear(c.n) }
func (c *portsCounter) values() []float64 { return floats(c.n) }

func (c *portsCounter) count(s *socket.Socket) {
	if s.Protocol == socket.TCP && s.State != socket.StateEstablished {
		return
	}
	for _, p := range c.configs {
		byLocal, byRemote := p.matcher.Match(s.Local, s.Remote)
		if byLocal >= 0 {
			c.n[p.column[byLocal]]++
		}
		if byRemote >= 0 {
			c.n[p.column[byRemote]]++
		}
	}
}

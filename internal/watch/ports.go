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
		for _, side := range []string{netstat.LocalSide, netstat.RemoteSide} {
			if err := c.addSide(config.Groups, side, len(b.Columns)); err != nil {
				return Group{}, err
			}
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
	n     []int
	sides []portsSide
}

// portsSide is the groups of a configuration that go by addresses on one side.
type portsSide struct {
	remote bool
	table  *addrports.Table
	column []int // by index in table
}

// addSide adds the groups of a side. first is the column of groups[0].
func (c *portsCounter) addSide(groups []netstat.Group, side string, first int) error {
	var entries []addrports.Entry
	s := portsSide{remote: side == netstat.RemoteSide}
	for i, g := range groups {
		if (g.Side == netstat.RemoteSide) != s.remote {
			continue
		}
		parse := addrports.Parse
		if len(g.PortsMatch) > 0 {
			parse = addrports.ParseMatch
		}
		for _, text := range g.Entries() {
			e, err := parse(text)
			if err != nil {
				return fmt.Errorf("%q: %w", text, err)
			}
			entries = append(entries, e)
			s.column = append(s.column, first+i)
		}
	}
	if len(entries) > 0 {
		s.table = addrports.NewTable(entries)
		c.sides = append(c.sides, s)
	}
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
	for i := range c.sides {
		side := &c.sides[i]
		ap := s.Local
		if side.remote {
			ap = s.Remote
		}
		if entry, ok := side.table.Lookup(ap); ok {
			c.n[side.column[entry]]++
		}
	}
}

package watch

import (
	"errors"
	"math"
	"time"

	"github.com/l4stat/l4stat/netstat/socket"
)

// Group is what one flag shows.
type Group struct {
	Name   string // the flag
	Short  string // the flag's letter; "" is none
	About  string // for the flag's help
	Blocks []*Block

	items *items // what it adds up; nil is nothing that can be shown apart
}

// Block is columns under one title.
type Block struct {
	Title   string // the first line of the header; dstat's where dstat has the block
	Columns []Column

	group string // the Group's name
	item  string // what alone the block is of, such as an interface; "" is all
	added bool   // dstat does not have it

	// One of the two has the figures.
	sockets socketCounter
	read    func(*reading) ([]part, time.Time, error)
}

// part is the figures of one of the things that a block adds up, such as one
// interface of several.
type part struct {
	of     string    // by which the next sample knows it; "" where there is but one
	values []float64 // one for each column; NaN is unknown
}

// whole is the figures of a block that adds nothing up.
func whole(values ...float64) []part { return []part{{values: values}} }

// Column is one figure.
type Column struct {
	Name    string // the second line of the header; dstat's where dstat has the column
	Meaning string
	Source  string // where the kernel has it

	kind kind
	unit unit
}

// kind is how a column's figure comes from what is read.
type kind int

const (
	gauge kind = iota // it is what is read
	rate              // how much that grew, per second
	share             // how much that grew, in percent of what the block's columns grew together
)

// unit is what a figure is of, and how wide its column is.
type unit int

const (
	count unit = iota
	bytes
	percent
	clock // seconds since 1970, as day and time
	epoch // seconds since 1970, as they are
)

// time reports whether the column is the time of a line.
func (c *Column) time() bool { return c.unit == clock || c.unit == epoch }

// socketCounter makes figures of sockets while they stream in.
type socketCounter interface {
	tables() []socket.Table
	reset()
	count(*socket.Socket)
	values() []float64
}

// absentError is why the system does not have a block's figures.
type absentError string

func (e absentError) Error() string { return string(e) }

// errSystem is for figures that only Linux has.
var errSystem = errors.New("this system does not have them")

var unknown = math.NaN()

// unknowns are the values of a block that could not be read.
func unknowns(n int) []float64 {
	values := make([]float64, n)
	for i := range values {
		values[i] = unknown
	}
	return values
}

// Groups gives the groups that need nothing but their flag, in the order of the
// help.
func Groups() []Group {
	groups := []Group{newTCP(), newUDP(), newSocket(), newNet(), newDrops(), newConntrack(), newCPU(), newMem(), newTime(), newEpoch()}
	for _, g := range groups {
		g.own()
	}
	return groups
}

// Clock reports whether the group tells nothing but the time.
func (g Group) Clock() bool {
	return len(g.Blocks) == 1 && g.Blocks[0].Columns[0].time()
}

// own tells the blocks whose they are.
func (g Group) own() {
	for _, b := range g.Blocks {
		b.group = g.Name
	}
}

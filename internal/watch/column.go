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
	About  string // for the flag's help
	Blocks []*Block
}

// Block is columns under one title.
type Block struct {
	Title   string // the first line of the header; dstat's where dstat has the block
	Columns []Column

	group string // the Group's name
	added bool   // dstat does not have it

	// One of the two has the figures, one for each column; NaN is unknown.
	sockets socketCounter
	read    func(*reading) ([]float64, time.Time, error)
}

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
	clock // seconds since 1970
)

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
	groups := []Group{newTCP(), newUDP(), newSocket(), newNet(), newDrops(), newConntrack(), newCPU(), newMem(), newTime()}
	for _, g := range groups {
		g.own()
	}
	return groups
}

// own tells the blocks whose they are.
func (g Group) own() {
	for _, b := range g.Blocks {
		b.group = g.Name
	}
}

package watch

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/l4stat/l4stat/internal/golden"
	"github.com/l4stat/l4stat/netstat/socket"
)

// golden compares text with a file of testdata.
func compareGolden(t *testing.T, name, got string) {
	t.Helper()
	golden.Compare(t, filepath.Join("testdata", name), got)
}

// blocksOf gives the blocks of groups.
func blocksOf(groups ...Group) []*Block {
	var blocks []*Block
	for _, g := range groups {
		g.own()
		blocks = append(blocks, g.Blocks...)
	}
	return blocks
}

// sockets is a source of made-up sockets.
type sockets struct {
	list []socket.Socket
	err  error
}

func (s *sockets) Each(_ context.Context, q socket.Query, fn func(*socket.Socket) error) error {
	for _, sock := range s.list {
		if err := fn(&sock); err != nil {
			return err
		}
	}
	return s.err
}

func (s *sockets) Close() error { return nil }

// scripted is a group with a block whose readings are given: a gauge and a
// counter. Each reading takes its time.
type scripted struct {
	readings []float64       // of both columns
	took     []time.Duration // by the readings
	n        int
}

func (s *scripted) group() Group {
	return Group{Name: "scripted", Blocks: []*Block{{
		Title: "scripted",
		Columns: []Column{
			{Name: "now"},
			{Name: "rate", kind: rate},
		},
		read: func(*reading) ([]part, time.Time, error) {
			at := time.Now()
			i := s.n
			s.n++
			if i < len(s.took) {
				time.Sleep(s.took[i])
			}
			if i >= len(s.readings) {
				return nil, at, errors.New("no reading is left")
			}
			return whole(s.readings[i], s.readings[i]), at, nil
		},
	}}}
}

// recorder is an Output that keeps what it is given.
type recorder struct {
	samples []*Sample
	summary *Summary
	row     func(n int) error
}

func (r *recorder) Row(s *Sample) error {
	r.samples = append(r.samples, s)
	if r.row != nil {
		return r.row(len(r.samples))
	}
	return nil
}

func (r *recorder) End(s *Summary) error {
	r.summary = s
	return nil
}

func ignore(string) {}

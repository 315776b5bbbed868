//go:build unix

package cli

import (
	"testing"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
)

// point is a line of line protocol.
type point struct {
	name   string
	tags   map[string]string
	fields map[string]any
	time   int64
}

// parse reads line protocol and fails the test on anything else.
func parse(t *testing.T, text string) []point {
	t.Helper()
	var points []point
	dec := lineprotocol.NewDecoderWithBytes([]byte(text))
	for dec.Next() {
		p := point{tags: map[string]string{}, fields: map[string]any{}}
		name, err := dec.Measurement()
		p.name = string(name)
		for err == nil {
			var key, value []byte
			if key, value, err = dec.NextTag(); key == nil {
				break
			}
			p.tags[string(key)] = string(value)
		}
		for err == nil {
			var key []byte
			var value lineprotocol.Value
			if key, value, err = dec.NextField(); key == nil {
				break
			}
			p.fields[string(key)] = value.Interface()
		}
		if err == nil {
			var at []byte
			at, err = dec.TimeBytes()
			for _, digit := range at {
				p.time = p.time*10 + int64(digit-'0')
			}
		}
		if err != nil {
			t.Fatalf("not line protocol: %v\n%s", err, text)
		}
		points = append(points, p)
	}
	return points
}

package emit

import (
	"testing"

	"github.com/influxdata/line-protocol/v2/lineprotocol"
)

// TestTornIsNoRow has no part of a line, made torn, be a row, nor swallow the next.
func TestTornIsNoRow(t *testing.T) {
	t.Parallel()
	const row = `netstat_route,host=a\ b,interface=eth\,0 gateway="10.0.0.1 \"x\" \\",n=5i,x=1.5e3,t=true 1767323045` + "\n"
	for cut := 1; cut < len(row); cut++ {
		dec := lineprotocol.NewDecoderWithBytes([]byte(row[:cut] + torn + row))
		var rows []string
		for dec.Next() {
			if name, fields, ok := decode(dec); ok {
				rows = append(rows, name)
				if fields != 4 {
					t.Errorf("after %q the row has %d fields", row[:cut], fields)
				}
			}
		}
		if len(rows) != 1 || rows[0] != "netstat_route" {
			t.Errorf("after %q there are the rows %q", row[:cut], rows)
		}
	}
}

// decode decodes a row; ok is false if it is none.
func decode(dec *lineprotocol.Decoder) (name string, fields int, ok bool) {
	text, err := dec.Measurement()
	if err != nil {
		return "", 0, false
	}
	for {
		key, _, err := dec.NextTag()
		if err != nil {
			return "", 0, false
		}
		if key == nil {
			break
		}
	}
	for {
		key, _, err := dec.NextField()
		if err != nil {
			return "", 0, false
		}
		if key == nil {
			break
		}
		fields++
	}
	if _, err := dec.TimeBytes(); err != nil {
		return "", 0, false
	}
	return string(text), fields, true
}

package watch

import (
	stdbytes "bytes"
	"encoding/json"
	"testing"
)

// checkJSON checks that each line is an object.
func checkJSON(t *testing.T, text []byte) {
	t.Helper()
	for line := range stdbytes.Lines(text) {
		var object map[string]any
		if err := json.Unmarshal(line, &object); err != nil {
			t.Errorf("%v: %s", err, line)
		}
	}
}

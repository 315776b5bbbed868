package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/peers"
	"github.com/l4stat/l4stat/internal/testhost"
)

// TestDataKitSample has DataKit's sample configuration, with every line
// uncommented, load unchanged in the shim, in Telegraf and in l4stat, and give
// the same rows.
func TestDataKitSample(t *testing.T) {
	influxd, execdTelegraf, native := peers.BuildInfluxd(t), peers.BuildTelegraf(t), peers.BuildNative(t)
	shim, l4stat := peers.Ours(t, "./cmd/telegraf-netstat"), peers.Ours(t, "./cmd/l4stat")
	if !testhost.Enter(t) {
		return
	}
	fill(testhost.New(t))
	sample, err := filepath.Abs("../../testdata/config/good/datakit_sample_uncommented.conf")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(sample)
	if err != nil {
		t.Fatal(err)
	}
	want := library(t, string(text))
	if len(want) != 2+4 { // 80, 443 and two versions of 9529
		t.Fatalf("the test is about other rows than these: %v", want)
	}

	// Ten seconds are long for a test. They are tested apart.
	patient := strings.Replace(string(text), "'10s'", "'1s'", 1)
	if patient == string(text) {
		t.Fatal("the sample has another interval")
	}
	for name, run := range map[string]func(*testing.T, *peers.Influx) [][]row{
		"shim": func(t *testing.T, influx *peers.Influx) [][]row {
			_, got := telegraf(t, influx, execdTelegraf, agent(influx)+execd(shim, sample, "STDIN"), 2)
			return got
		},
		"native": func(t *testing.T, influx *peers.Influx) [][]row {
			_, got := telegraf(t, influx, native, agent(influx)+patient, 2)
			return got
		},
		"l4stat": func(t *testing.T, influx *peers.Influx) [][]row {
			return emitTwice(t, influx, l4stat, "--config", sample)
		},
	} {
		t.Run(name, func(t *testing.T) {
			influx := peers.StartInflux(t, influxd, peers.Isolated())
			influx.CreateDatabase(database)
			got := run(t, influx)
			if len(got) < 2 {
				t.Errorf("%d gathers, want 2 or more", len(got))
			}
			compare(t, got, want)
		})
	}
}

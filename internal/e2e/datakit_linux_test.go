package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/peers"
	"github.com/l4stat/l4stat/internal/testhost"
)

// DataKit's sample configuration, with every line uncommented, loads unchanged in
// the shim, in Telegraf and in l4stat, and gives the same rows. Each has sockets of
// its own: a TIME_WAIT lasts a minute.

func TestDataKitSampleShim(t *testing.T) {
	program, shim := peers.BuildTelegraf(t), peers.Ours(t, "./cmd/telegraf-netstat")
	testDataKitSample(t, func(t *testing.T, influx *peers.Influx, sample string) [][]row {
		_, got := telegraf(t, influx, program, agent(influx)+execd(shim, sample, "STDIN"), 2)
		return got
	})
}

func TestDataKitSampleNative(t *testing.T) {
	program := peers.BuildNative(t)
	testDataKitSample(t, func(t *testing.T, influx *peers.Influx, sample string) [][]row {
		text, err := os.ReadFile(sample)
		if err != nil {
			t.Fatal(err)
		}
		// Ten seconds are long for a test. They are tested apart.
		patient := strings.Replace(string(text), "'10s'", "'1s'", 1)
		if patient == string(text) {
			t.Fatal("the sample has another interval")
		}
		_, got := telegraf(t, influx, program, agent(influx)+patient, 2)
		return got
	})
}

func TestDataKitSampleL4stat(t *testing.T) {
	l4stat := peers.Ours(t, "./cmd/l4stat")
	testDataKitSample(t, func(t *testing.T, influx *peers.Influx, sample string) [][]row {
		return emitTwice(t, influx, l4stat, "--config", sample)
	})
}

func testDataKitSample(t *testing.T, run func(t *testing.T, influx *peers.Influx, sample string) [][]row) {
	influxd := peers.BuildInfluxd(t)
	if !testhost.Enter(t) {
		return
	}
	influx := peers.StartInflux(t, influxd, peers.Isolated())
	influx.CreateDatabase(database)
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
	got := run(t, influx, sample)
	if len(got) < 2 {
		t.Errorf("%d gathers, want 2 or more", len(got))
	}
	compare(t, got, want)
}

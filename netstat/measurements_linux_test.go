package netstat_test

import (
	"context"
	"slices"
	"testing"

	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/metric"
)

// TestMeasurements has each field of a Gather be one that was described before.
func TestMeasurements(t *testing.T) {
	t.Parallel()
	byName := map[string]metric.Measurement{}
	for _, m := range netstat.Measurements() {
		if _, twice := byName[m.Name]; twice || len(m.Fields) == 0 {
			t.Errorf("%s is there twice, or has no fields", m.Name)
		}
		byName[m.Name] = m
		var keys []string
		for _, d := range m.Fields {
			if d.Key == "" || d.Source == "" || (d.Unit == "") != (d.Kind == metric.Text) || slices.Contains(keys, d.Key) {
				t.Errorf("%s has the field %+v", m.Name, *d)
			}
			keys = append(keys, d.Key)
		}
	}
	c, err := netstat.New(netstat.Config{Include: netstat.Included(), Groups: []netstat.Group{{PortsMatch: []string{"*:1-65535"}}}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	metrics, err := c.Gather(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range metrics {
		described := byName[m.Name]
		for _, f := range m.Fields {
			if !slices.Contains(described.Fields, f.Desc) {
				t.Errorf("%s has the field %+v, which is not described", m.Name, f)
			}
		}
		for _, tag := range m.Tags {
			if !slices.Contains(described.Tags, tag.Key) {
				t.Errorf("%s has the tag %s, which is not described", m.Name, tag.Key)
			}
		}
	}
}

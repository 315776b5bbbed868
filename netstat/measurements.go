package netstat

import (
	"slices"

	"github.com/l4stat/l4stat/internal/counters"
	"github.com/l4stat/l4stat/netstat/metric"
)

// Measurements describes every measurement that a Collector on this system can
// have, in the order of its metrics, whether or not a configuration includes it.
// The descriptions are those of the fields of metrics, and must not be changed.
func Measurements() []metric.Measurement {
	counts := make([]*metric.Desc, 0, len(countDescs))
	for i := range countDescs {
		counts = append(counts, &countDescs[i])
	}
	all := []metric.Measurement{
		{Name: hostMeasurement, Tags: []string{tagIPVersion}, Fields: counts},
		{Name: portMeasurement, Tags: []string{tagAddrPort, tagIPVersion, tagSide}, Fields: append(slices.Clone(counts), &pidDesc)},
	}
	for _, s := range counters.Sets() {
		all = append(all, metric.Measurement{Name: hostMeasurement + "_" + s.Name, Include: s.Name, Tags: s.Tags, Fields: s.Fields})
	}
	if hasConnections() {
		all = append(all, connectionMeasurements()...)
	}
	return all
}

func connectionMeasurements() []metric.Measurement {
	numbers := []*metric.Desc{&stateDesc}
	for i := range connectionFields {
		numbers = append(numbers, &connectionFields[i].Desc)
	}
	return []metric.Measurement{
		{
			Name: connectionMeasurement, Include: connectionInclude,
			Tags:   []string{"laddr", "lport", "raddr", "rport", tagAddrPort, tagIPVersion, tagSide},
			Fields: append(numbers, &congestionDesc),
		},
		{
			Name: summaryMeasurement, Include: connectionInclude,
			Tags: []string{tagAddrPort, tagSide},
			Fields: []*metric.Desc{
				&summaryConnections, &summaryInBytes, &summaryOutBytes, &summaryRetransBytes, &summaryRetransSegs,
				&summaryMin, &summaryMean, &summaryP50, &summaryP95, &summaryMax,
			},
		},
	}
}

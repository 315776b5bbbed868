// Package l4stat holds the documented configuration of l4stat, which counts a
// host's connections by TCP state, per port and per address.
//
// The library is [github.com/l4stat/l4stat/netstat]; the program is
// cmd/l4stat. Data flows one way:
//
//	kernel -> netstat/socket -> netstat (grouped by addrports) -> metrics -> netstat/emit
package l4stat

import _ "embed"

// SampleConfig is sample.conf. It stands at the root of the repository, where
// only a package of the root can embed it.
//
//go:embed sample.conf
var SampleConfig string

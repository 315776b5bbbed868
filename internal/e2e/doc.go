// Package e2e has tests that run this module's programs with the real Telegraf
// and the real InfluxDB. It has nothing else.
package e2e

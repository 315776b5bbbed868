// Package peers runs the real programs that this one has to work with, for
// end-to-end tests: influxd and Telegraf, built from their modules.
//
// A first build takes about a minute for each; the programs are then kept in
// the user's cache folder. It works on Linux.
package peers

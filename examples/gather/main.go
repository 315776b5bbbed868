// Gather counts the host's sockets, and those of ports 22 and 443, and prints
// the metrics.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/l4stat/l4stat/netstat"
)

func main() {
	log.SetFlags(0)
	if err := run(); err != nil {
		log.Fatal(err)
	}
}

func run() error {
	config := netstat.DefaultConfig()
	config.Groups = []netstat.Group{{Ports: []string{"22", "443"}, Tags: map[string]string{"service": "front"}}}
	collector, err := netstat.New(config)
	if err != nil {
		return err
	}
	defer collector.Close()

	metrics, err := collector.Gather(context.Background()) // with an error too, what could be read
	for _, m := range metrics {
		fmt.Print(m.Name)
		for _, tag := range m.Tags {
			fmt.Printf(" %s=%s", tag.Key, tag.Value)
		}
		fmt.Println()
		for _, f := range m.Fields {
			fmt.Printf("    %-16s %v %s\n", f.Key, f.Value.Any(), f.Unit)
		}
	}
	return err
}

package netstat_test

import (
	"context"
	"fmt"
	"log"

	"github.com/l4stat/l4stat/netstat"
)

// An agent counts the host's sockets, and those of two ports apart.
func Example() {
	c, err := netstat.New(netstat.Config{Groups: []netstat.Group{{Ports: []string{"80", "443"}}}})
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	metrics, err := c.Gather(context.Background())
	for _, m := range metrics {
		fmt.Println(m.Name, m.Tags, m.Fields, m.Time)
	}
	if err != nil {
		log.Print(err) // what could not be read; the metrics are without it
	}
}

// A program reads the configuration that Telegraf and DataKit read.
func ExampleLoadFile() {
	configs, err := netstat.LoadFile("/etc/telegraf/telegraf.d/netstat.conf")
	if err != nil {
		log.Fatal(err) // names the file, the key, the value and the remedy
	}
	for _, c := range configs {
		fmt.Println("every", c.Interval, "by", c.Source)
	}
}

// File writes line protocol to the file that it is given, every second for ten
// seconds.
package main

import (
	"context"
	"errors"
	"log"
	"os"
	"time"

	"github.com/l4stat/l4stat/netstat"
	"github.com/l4stat/l4stat/netstat/emit"
)

func main() {
	log.SetFlags(0)
	if len(os.Args) != 2 {
		log.Fatal("usage: file PATH")
	}
	if err := run(os.Args[1]); err != nil {
		log.Fatal(err)
	}
}

func run(path string) (err error) {
	warn := func(message string) { log.Print("warning: ", message) }
	config := netstat.DefaultConfig()
	config.Include = netstat.Included()
	config.Warn = warn
	collector, err := netstat.New(config)
	if err != nil {
		return err
	}
	defer collector.Close()

	encoder, err := emit.NewEncoder(emit.Second, map[string]string{"host": "example"})
	if err != nil {
		return err
	}
	output, err := emit.NewFile(path, encoder, emit.Options{Warn: warn})
	if err != nil {
		return err
	}
	defer func() { // what the file did not take is tried once more
		last, stop := context.WithTimeout(context.Background(), time.Second)
		defer stop()
		err = errors.Join(err, output.Close(last))
	}()

	tick := time.Tick(time.Second)
	for range 10 {
		metrics, err := collector.Gather(context.Background())
		if err != nil {
			log.Print(err) // the metrics are without what could not be read
		}
		if err := output.Write(context.Background(), metrics); err != nil {
			return err
		}
		<-tick
	}
	return nil
}

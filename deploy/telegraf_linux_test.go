package deploy

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/l4stat/l4stat/internal/peers"
)

// TestTelegrafSnippet has the real Telegraf check the snippet and then run it,
// with both of the signals that it offers.
func TestTelegrafSnippet(t *testing.T) {
	t.Parallel()
	telegraf := peers.BuildTelegraf(t)
	influx := peers.StartInflux(t, peers.BuildInfluxd(t))
	dir := t.TempDir()
	shim := peers.Ours(t, "./cmd/telegraf-netstat")
	config := filepath.Join(dir, "netstat.conf")
	write(t, config, strings.Replace(read(t, "../sample.conf"), `interval = "10s"`, `interval = "1s"`, 1))

	snippet := read(t, "telegraf/netstat-execd.conf")
	replace := func(old, new string) {
		t.Helper()
		if strings.Count(snippet, old) != 1 {
			t.Fatalf("the snippet has %q %d times, want once:\n%s", old, strings.Count(snippet, old), snippet)
		}
		snippet = strings.Replace(snippet, old, new, 1)
	}
	replace(`"/usr/local/bin/telegraf-netstat"`, fmt.Sprintf("%q", shim))
	replace(`"/etc/telegraf/netstat.conf"`, fmt.Sprintf("%q", config))
	for _, signal := range []string{"none", "STDIN"} {
		if signal == "STDIN" {
			replace(`  signal = "none"`, "")
			replace(`  # signal = "STDIN"`, `  signal = "STDIN"`)
		}
		db := strings.ToLower(signal)
		influx.CreateDatabase(db)
		name := filepath.Join(dir, db+".conf")
		write(t, name, fmt.Sprintf(`[agent]
  interval = "1s"
  flush_interval = "1s"
[[outputs.influxdb]]
  urls = [%q]
  database = %q
  skip_database_creation = true
`, influx.URL, db)+snippet)

		out, err := exec.CommandContext(t.Context(), telegraf, "config", "check", "--config", name).CombinedOutput()
		if err != nil || strings.Contains(string(out), " E! ") {
			t.Fatalf("signal %s: telegraf config check: %v\n%s", signal, err, out)
		}
		agent := peers.Start(t, exec.Command(telegraf, "--config", name))
		peers.Until(t, "rows by signal "+signal, func() bool {
			if !agent.Running() {
				t.Fatalf("signal %s: Telegraf has ended:\n%s", signal, agent.Log())
			}
			series := influx.Query(db, "SELECT count(tcp_listen) FROM netstat GROUP BY host, ip_version")
			return len(series) == 2 && fmt.Sprint(series[0].Values[0][1]) != "1" // more than once
		})
		agent.Stop()
		for _, line := range peers.TelegrafComplaints(agent.Log()) {
			t.Errorf("signal %s: Telegraf's log: %s", signal, line)
		}
	}
}

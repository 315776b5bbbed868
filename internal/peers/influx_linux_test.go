package peers

import (
	"net/http"
	"strings"
	"testing"
)

// TestInflux has a server keep what it was given over a restart.
func TestInflux(t *testing.T) {
	t.Parallel()
	i := StartInflux(t, BuildInfluxd(t))
	i.CreateDatabase("db")
	resp, err := http.Post(i.URL+"/write?db=db", "", strings.NewReader("m,a=b n=1i 17\n"))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		t.Fatalf("write: %s", resp.Status)
	}
	for range 2 {
		series := i.Query("db", `SELECT n FROM m GROUP BY *`)
		if len(series) != 1 || series[0].Tags["a"] != "b" || len(series[0].Values) != 1 {
			t.Errorf("got %+v", series)
		}
		i.Stop()
		i.Start()
	}
}

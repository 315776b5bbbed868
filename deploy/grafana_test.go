package deploy

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

const dashboardFile = "grafana/l4stat.json"

// dashboard is what the tests look at of a Grafana dashboard.
type dashboard struct {
	UID           string
	Title         string
	SchemaVersion int
	Templating    struct{ List []variable }
	Panels        []panel
}

type variable struct {
	Name, Type, Label, Description string
	Datasource                     datasource
	Query                          string
	Multi, IncludeAll              bool
	AllValue                       string
}

type panel struct {
	ID                       int
	Type, Title, Description string
	Datasource               datasource
	GridPos                  struct{ X, Y, W, H int }
	Collapsed                bool
	Repeat                   string
	Panels                   []panel
	Targets                  []target
}

type datasource struct{ Type, UID string }

type target struct {
	Datasource   datasource
	RefID        string
	RawQuery     bool
	Query        string
	ResultFormat string
	Alias        string
}

func loadDashboard(t *testing.T) dashboard {
	t.Helper()
	text, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		t.Fatalf("%s: %v", dashboardFile, err)
	}
	return d
}

// TestDashboard checks what Grafana needs of the dashboard, and what a person
// does.
func TestDashboard(t *testing.T) {
	t.Parallel()
	d := loadDashboard(t)
	if d.UID == "" || d.Title == "" || d.SchemaVersion < 39 {
		t.Errorf("uid %q, title %q, schemaVersion %d", d.UID, d.Title, d.SchemaVersion)
	}

	chosen := datasource{"influxdb", "${datasource}"}
	known := map[string]bool{}
	for i, v := range d.Templating.List {
		if v.Name == "" || v.Label == "" || v.Description == "" || known[v.Name] {
			t.Errorf("variable %q: label %q, description %q; there before: %v", v.Name, v.Label, v.Description, known[v.Name])
		}
		if (i == 0) != (v.Name == "datasource") {
			t.Errorf("variable %d is %q; the first, and only that, is datasource, which the others use", i, v.Name)
		}
		if i == 0 && (v.Type != "datasource" || v.Query != chosen.Type) || i > 0 && (v.Type != "query" || v.Datasource != chosen) {
			t.Errorf("variable %s is a %s of %v", v.Name, v.Type, v.Datasource)
		}
		// A row without the tag service is among all services.
		if i > 0 && (!v.Multi || !v.IncludeAll || v.AllValue != ".*") {
			t.Errorf("variable %s: multi %v, includeAll %v, allValue %q", v.Name, v.Multi, v.IncludeAll, v.AllValue)
		}
		known[v.Name] = true
	}

	const columns = 24
	ids := map[int]string{}
	titles := map[string]bool{}
	taken := map[[2]int]string{}
	for _, p := range d.Panels {
		if p.ID <= 0 || ids[p.ID] != "" {
			t.Errorf("panel %q has the id %d, as has %q", p.Title, p.ID, ids[p.ID])
		}
		ids[p.ID] = p.Title
		if p.Title == "" || p.Description == "" || titles[p.Type+p.Title] {
			t.Errorf("panel %d: title %q, description %q; another %s has that title: %v", p.ID, p.Title, p.Description, p.Type, titles[p.Type+p.Title])
		}
		titles[p.Type+p.Title] = true
		g := p.GridPos
		if g.X < 0 || g.Y < 0 || g.W <= 0 || g.H <= 0 || g.X+g.W > columns {
			t.Errorf("panel %q stands at %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("panel %q stands on %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
		if p.Type == "row" {
			// The panels of a row that is open stand beside it, not in it.
			if p.Collapsed || len(p.Panels) > 0 || len(p.Targets) > 0 || p.Repeat != "" && !known[p.Repeat] {
				t.Errorf("row %q: %+v", p.Title, p)
			}
			continue
		}
		if p.Datasource != chosen || len(p.Targets) == 0 {
			t.Errorf("panel %q: data source %v, %d targets", p.Title, p.Datasource, len(p.Targets))
		}
		refs := map[string]bool{}
		for _, q := range p.Targets {
			if q.Datasource != chosen || !q.RawQuery || q.RefID == "" || refs[q.RefID] {
				t.Errorf("panel %q, target %q: data source %v, rawQuery %v", p.Title, q.RefID, q.Datasource, q.RawQuery)
			}
			refs[q.RefID] = true
			if want := map[bool]string{true: "table", false: "time_series"}[p.Type == "table"]; q.ResultFormat != want {
				t.Errorf("panel %q is a %s of the format %s", p.Title, p.Type, q.ResultFormat)
			}
			if strings.Contains(q.Query, "GROUP BY time(") != (p.Type == "timeseries") {
				t.Errorf("panel %q is a %s of %s", p.Title, p.Type, q.Query)
			}
		}
	}
}

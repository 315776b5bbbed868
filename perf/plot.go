package main

import (
	"fmt"
	"image/color"

	"gonum.org/v1/plot"
	"gonum.org/v1/plot/plotter"
	"gonum.org/v1/plot/vg"
	"gonum.org/v1/plot/vg/draw"
)

// colours are of lines, told apart by people who see colours differently as well
// (Okabe and Ito's palette).
var colours = []color.RGBA{
	{0x00, 0x72, 0xb2, 0xff}, {0x56, 0xb4, 0xe9, 0xff}, {0x00, 0x9e, 0x73, 0xff},
	{0x00, 0x00, 0x00, 0xff}, {0xd5, 0x5e, 0x00, 0xff},
}

// plotLines draws costs over sizes, both on logarithmic scales, where what grows
// linearly has the slope of the diagonal.
func plotLines(path string, lines []line) error {
	p := plot.New()
	p.Title.Text = "CPU time of counting all sockets once"
	p.X.Label.Text, p.Y.Label.Text = "sockets", "milliseconds"
	p.X.Scale, p.Y.Scale = plot.LogScale{}, plot.LogScale{}
	p.X.Tick.Marker, p.Y.Tick.Marker = plot.LogTicks{Prec: -1}, plot.LogTicks{Prec: -1}
	p.Legend.Top, p.Legend.Left = true, true
	p.Legend.Padding = vg.Points(2)
	p.Add(plotter.NewGrid())
	for i, l := range lines {
		points := make(plotter.XYs, len(sizes))
		for k := range sizes {
			points[k] = plotter.XY{X: float64(sizes[k]), Y: l.seconds[k] * 1e3}
		}
		curve, dots, err := plotter.NewLinePoints(points)
		if err != nil {
			return fmt.Errorf("plot %s: %w", l.name, err)
		}
		curve.Color, dots.Color = colours[i], colours[i]
		curve.Width, dots.Shape = vg.Points(1.5), draw.CircleGlyph{}
		p.Add(curve, dots)
		p.Legend.Add(l.name, curve, dots)
	}
	return p.Save(18*vg.Centimeter, 12*vg.Centimeter, path)
}

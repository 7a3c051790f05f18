package bench

import (
	"fmt"
	"math"
	"strings"
)

// chart draws lines over two logarithmic axes, as SVG that needs nothing else.
type chart struct {
	title, x, y string
	lines       []line
}

type line struct {
	name   string
	points []point
}

type point struct{ x, y float64 }

const (
	chartWidth, chartHeight = 800, 480
	chartLeft, chartTop     = 80, 40
	chartRight, chartBottom = 200, 50
)

var colours = []string{"#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#7f7f7f"}

// span is an axis from one power of ten to another.
type span struct{ lo, hi float64 }

func (s span) at(v float64) float64 { return (math.Log10(v) - s.lo) / (s.hi - s.lo) }

// spanOf covers the positive values; a logarithm has no place for others.
func spanOf(values []float64) span {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range values {
		if v > 0 {
			lo, hi = min(lo, v), max(hi, v)
		}
	}
	if lo > hi {
		return span{0, 1}
	}
	s := span{math.Floor(math.Log10(lo)), math.Ceil(math.Log10(hi))}
	if s.lo == s.hi {
		s.hi++
	}
	return s
}

func (c *chart) svg() []byte {
	var xs, ys []float64
	for _, l := range c.lines {
		for _, p := range l.points {
			xs, ys = append(xs, p.x), append(ys, p.y)
		}
	}
	sx, sy := spanOf(xs), spanOf(ys)
	const w, h = chartWidth - chartLeft - chartRight, chartHeight - chartTop - chartBottom
	px := func(v float64) float64 { return chartLeft + w*sx.at(v) }
	py := func(v float64) float64 { return chartTop + h*(1-sy.at(v)) }
	var b strings.Builder
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">`+"\n", chartWidth, chartHeight)
	fmt.Fprintf(&b, `<rect width="%d" height="%d" fill="white"/><text x="%d" y="20" font-size="14">%s</text>`+"\n", chartWidth, chartHeight, chartLeft, plainText(c.title))
	for e := sx.lo; e <= sx.hi; e++ {
		x := px(math.Pow(10, e))
		fmt.Fprintf(&b, `<line x1="%.1f" y1="%d" x2="%.1f" y2="%d" stroke="#ddd"/><text x="%.1f" y="%d" text-anchor="middle">%s</text>`+"\n",
			x, chartTop, x, chartTop+h, x, chartTop+h+18, number(int64(math.Pow(10, e))))
	}
	for e := sy.lo; e <= sy.hi; e++ {
		y := py(math.Pow(10, e))
		fmt.Fprintf(&b, `<line x1="%d" y1="%.1f" x2="%d" y2="%.1f" stroke="#ddd"/><text x="%d" y="%.1f" text-anchor="end">%s</text>`+"\n",
			chartLeft, y, chartLeft+w, y, chartLeft-6, y+4, number(int64(math.Pow(10, e))))
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">%s</text><text x="14" y="%d">%s</text>`+"\n",
		chartLeft+w/2, chartHeight-10, plainText(c.x), chartTop-8, plainText(c.y))
	for i, l := range c.lines {
		colour := colours[i%len(colours)]
		var path []string
		for _, p := range l.points {
			if p.x > 0 && p.y > 0 {
				path = append(path, fmt.Sprintf("%.1f,%.1f", px(p.x), py(p.y)))
				fmt.Fprintf(&b, `<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>`, px(p.x), py(p.y), colour)
			}
		}
		fmt.Fprintf(&b, `<polyline points="%s" fill="none" stroke="%s" stroke-width="2"/>`+"\n", strings.Join(path, " "), colour)
		fmt.Fprintf(&b, `<text x="%d" y="%d" fill="%s">%s</text>`+"\n", chartLeft+w+12, chartTop+16+18*i, colour, plainText(l.name))
	}
	b.WriteString("</svg>\n")
	return []byte(b.String())
}

func plainText(s string) string {
	return strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(s)
}

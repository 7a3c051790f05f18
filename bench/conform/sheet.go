package conform

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Verdict is what a line of the sheet comes to; see the package comment.
type Verdict string

const (
	OK      Verdict = "ok"
	Refused Verdict = "refused"
	Note    Verdict = "note"
	Differs Verdict = "differs"
)

// Line is one probe and what was seen.
type Line struct {
	Probe   string  `json:"probe"`
	Verdict Verdict `json:"verdict"`
	Seen    string  `json:"seen"`
	Wanted  string  `json:"wanted,omitempty"` // when it was something else
}

// Section is a group of probes.
type Section struct {
	Name  string `json:"name"`
	Lines []Line `json:"lines"`
}

// Sheet is what is known of one server.
type Sheet struct {
	Address  string          `json:"address"`
	As       string          `json:"as"` // our system_id
	At       time.Time       `json:"at"`
	Messages int             `json:"messages"` // submit_sm, data_sm and submit_multi written
	Counts   map[Verdict]int `json:"counts"`
	Sections []Section       `json:"sections"`
}

// Timing is the name of the section whose lines differ from run to run.
const Timing = "Timing"

// Text is the sheet for people.
func (s *Sheet) Text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "SMPP link sheet of %s, bound as %s, %s\n", s.Address, s.As, s.At.UTC().Format("2006-01-02 15:04 UTC"))
	fmt.Fprintf(&b, "%d ok, %d refused, %d notes, %d against the specification; %d messages sent\n",
		s.Counts[OK], s.Counts[Refused], s.Counts[Note], s.Counts[Differs], s.Messages)
	for _, section := range s.Sections {
		section.text(&b)
	}
	return b.String()
}

func (s *Section) text(b *strings.Builder) {
	fmt.Fprintf(b, "\n%s\n", s.Name)
	width := 0
	for _, l := range s.Lines {
		width = max(width, utf8.RuneCountInString(l.Probe))
	}
	for _, l := range s.Lines {
		fmt.Fprintf(b, "  %-*s  %-7s  %s", width, l.Probe, l.Verdict, l.Seen)
		if l.Wanted != "" {
			fmt.Fprintf(b, " (wanted %s)", l.Wanted)
		}
		b.WriteString("\n")
	}
}

func (s *Sheet) section(name string) { s.Sections = append(s.Sections, Section{Name: name}) }

// add writes a line. What the server says in it is shown as text, whatever it is: people read it on terminals.
func (s *Sheet) add(l Line) {
	l.Seen = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, l.Seen)
	last := &s.Sections[len(s.Sections)-1]
	last.Lines = append(last.Lines, l)
	s.Counts[l.Verdict]++
}

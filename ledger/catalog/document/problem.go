package document

// Problem is one mistake.
type Problem struct {
	File    string
	Line    int // from 1; 0 when it concerns the whole file
	Text    string
	Excerpt string // the line as it stands in the file, secrets left out; may be empty
}

// Problems is every mistake found; as an error it prints them all.
type Problems []Problem

func (p Problem) String() string  { return "" }
func (ps Problems) Error() string { return "" }

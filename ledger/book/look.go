package book

// EachInRun visits the messages of a run that is on disk only; m is reused.
func (b *Book) EachInRun(r *Run, f func(m *Msg) error) error {
	data, err := b.runData(r.ID)
	if err != nil {
		return err
	}
	return unpack(data, func(m *Msg, _ int, _ []byte) error { return f(m) })
}

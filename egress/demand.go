package egress

// Demand is how many messages of one class a host has for a carrier whose links another host keeps. The host that has them
// says so by a count that only grows: those it was lent a place for and used, and those that wait. What is lent and not heard
// of yet is therefore never lent twice, however long the word takes.
//
//	guest:  used + waiting ──▶ Heard       owner:  Open > 0 ──▶ Lent ──▶ guest: uses it, or gives it back ──▶ Returned
//
// The zero Demand is none. It belongs to the owner of the links; both ends begin anew when the word between them breaks.
type Demand struct {
	wanted uint64 // as the guest said last
	lent   uint64 // and did not come back
}

// Heard takes the guest's newest count.
func (d *Demand) Heard(wanted uint64) { d.wanted = wanted }

// Open is how many messages wait for a place that nobody has lent yet.
func (d *Demand) Open() int { return max(0, int(int64(d.wanted-d.lent))) }

// Lent notes that a place is lent for one of them.
func (d *Demand) Lent() { d.lent++ }

// Returned notes that a place came back unused: its message had gone another way.
func (d *Demand) Returned() { d.lent-- }

// LeaseAbroad is until when, on our clock, messages may leave for carriers that another host decided about under a lease of its
// own. stamp is a time of our clock that it has heard; rest is what passes on its clock from when it heard that to the end of its
// lease. Since it heard the stamp after we had made it, and no two clocks differ by more than a tenth either way, the lease has
// not ended by then.
func LeaseAbroad(stamp, rest int64) int64 {
	if rest <= 0 {
		return 0
	}
	return stamp + min(rest, maxAbroad)*8/10 // 0.9 / 1.1 = 0.82
}

// maxAbroad bounds what is believed of a lease that does not end.
const maxAbroad = int64(1e9)

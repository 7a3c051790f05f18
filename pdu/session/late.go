package session

import "smsplane/pdu"

const lateSlots = 4096

// lates remembers requests after their response timeout, one for each value of the sequence number's low
// bits, the newest. Numbers are given out in order, so this is about the last 4096 timeouts.
type lates struct{ slots []lateSlot }

// A lateSlot is one of them; sequence 0 marks it free.
type lateSlot struct {
	tag      uint64
	sequence uint32
	command  pdu.Command
}

func (l *lates) remember(r slot) {
	if l.slots == nil {
		l.slots = make([]lateSlot, lateSlots)
	}
	l.slots[r.sequence%lateSlots] = lateSlot{tag: r.tag, sequence: r.sequence, command: r.command}
}

// forget drops a number that is given out again after a wrap: its answers belong to the new request.
func (l *lates) forget(sequence uint32) {
	if l.slots != nil && l.slots[sequence%lateSlots].sequence == sequence {
		l.slots[sequence%lateSlots] = lateSlot{}
	}
}

func (l *lates) find(sequence uint32) *lateSlot {
	if l.slots == nil || sequence == 0 {
		return nil
	}
	if r := &l.slots[sequence%lateSlots]; r.sequence == sequence {
		return r
	}
	return nil
}

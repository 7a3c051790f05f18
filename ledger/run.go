package ledger

// RunQueue says which queue a run was cut from.
type RunQueue uint8

const (
	RunExternal RunQueue = iota + 1 // accepted, waiting for the router
	RunInternal                     // planned, waiting for a carrier
)

// Move says that messages left memory: a packed run under a key of its own is their only copy from here on,
// and their blocks in the log may go. They stand in the run in the order of the queue.
type Move struct {
	Run     uint32
	Order   uint32 // runs of a queue are read in this order; what is left of a run keeps its place
	Queue   RunQueue
	Carrier uint16
	Class   Class
	IDs     []byte // as AppendID wrote them; see EachID
}

// AppendMove writes a MOVE record.
func AppendMove(b []byte, at int64, m *Move) []byte {
	start := len(b)
	b = openRecord(b, KindMove, 0, 0, 0, at)
	b = le.AppendUint32(b, m.Run)
	b = le.AppendUint32(b, m.Order)
	b = append(b, byte(m.Queue), byte(m.Class))
	b = le.AppendUint16(b, m.Carrier)
	b = le.AppendUint32(b, uint32(len(m.IDs)/idBytes))
	b = append(b, m.IDs...)
	return sealRecord(b, start)
}

// Move decodes a MOVE body.
func (r *Record) Move(m *Move) bool {
	d := reader{b: r.Body}
	m.Run, m.Order, m.Queue, m.Class, m.Carrier = d.u32(), d.u32(), RunQueue(d.u8()), Class(d.u8()), d.u16()
	n := d.u32()
	m.IDs = d.b
	return !d.bad && uint64(len(m.IDs)) == uint64(n)*idBytes && (m.Queue == RunExternal || m.Queue == RunInternal)
}

// idBytes is an id in a Move's list.
const idBytes = 8

// AppendID adds an id to a Move's list.
func AppendID(b []byte, id MsgID) []byte { return le.AppendUint64(b, uint64(id)) }

// EachID visits the ids of a list that AppendID wrote.
func EachID(b []byte, f func(id MsgID) error) error {
	for ; len(b) >= idBytes; b = b[idBytes:] {
		if err := f(MsgID(le.Uint64(b))); err != nil {
			return err
		}
	}
	return nil
}

// AppendLoad writes a LOAD record: the messages of a run are in memory again.
func AppendLoad(b []byte, at int64, run uint32) []byte {
	start := len(b)
	b = openRecord(b, KindLoad, 0, 0, 0, at)
	b = le.AppendUint32(b, run)
	return sealRecord(b, start)
}

// Load decodes a LOAD body.
func (r *Record) Load() (run uint32, ok bool) {
	d := reader{b: r.Body}
	run = d.u32()
	return run, !d.bad
}

package pdu

// Receipt is a delivery receipt.
type Receipt struct {
	ID                   []byte
	State                State
	Err                  []byte
	SubmitDate, DoneDate int64
	Sub, Dlvrd           int
	Text                 []byte
}

// ParseReceipt reads a receipt from TLVs and text.
func ParseReceipt(m *Message, r *Receipt) bool { return false }

// AppendReceiptText writes the text of a receipt.
func AppendReceiptText(dst []byte, r *Receipt) []byte { return dst }

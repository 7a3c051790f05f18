package egress

import "smsplane/ledger"

// Turns serves classes by weight: of every 21 turns that all classes wait for, otp gets 16, transactional 4,
// bulk 1; a class that has nothing gives its turns away. So bulk never starves and otp waits for at most
// one message. Asking when nobody waits changes nothing.
type Turns struct{ credit [ledger.Classes]int }

var weights = [ledger.Classes]int{ledger.ClassBulk: 1, ledger.ClassTransactional: 4, ledger.ClassOTP: 16}

// Next picks the class to serve among those that wait.
func (t *Turns) Next(waiting [ledger.Classes]bool) (ledger.Class, bool) {
	if waiting == ([ledger.Classes]bool{}) {
		return 0, false
	}
	for range 2 {
		for c := ledger.Classes - 1; c >= 0; c-- {
			if waiting[c] && t.credit[c] > 0 {
				t.credit[c]--
				return ledger.Class(c), true
			}
		}
		t.credit = weights
	}
	return 0, false
}

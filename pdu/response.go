package pdu

import "bytes"

// AppendMessageResp answers submit_sm, deliver_sm, data_sm or broadcast_sm, c being the request. An error is sent
// without a body (3.4 §4.4.2) save ESME_RDELIVERYFAILURE, which keeps the id: transaction mode names the
// message that failed. id is nil for deliver_sm (3.4 §4.6.2).
func AppendMessageResp(dst []byte, c Command, st Status, seq uint32, id []byte) []byte {
	if st != ROK && st != RDeliveryFailure {
		return AppendPlain(dst, c.Resp(), st, seq)
	}
	at := len(dst)
	dst = AppendHeader(dst, c.Resp(), st, seq)
	dst = append(append(dst, id...), 0)
	return Finish(dst, at)
}

// MessageID is the message_id of a submit_sm_resp, data_sm_resp, submit_multi_resp or broadcast_sm_resp. It reports
// false when there is none: no body, an empty id, or one longer than 64 octets. A missing NUL is forgiven.
func MessageID(p []byte) ([]byte, bool) {
	if len(p) <= HeaderLen {
		return nil, false
	}
	b := p[HeaderLen:]
	if n := bytes.IndexByte(b[:min(len(b), messageIDLimit)], 0); n >= 0 {
		b = b[:n:n]
	}
	if len(b) == 0 || len(b) >= messageIDLimit {
		return nil, false
	}
	return b, true
}

// ResponseTLVs is the TLVs behind the message_id of such a response, nil when there are none.
func ResponseTLVs(p []byte) []byte {
	r := reader{p: p, at: HeaderLen}
	r.str(messageIDLimit, RInvMsgID)
	return r.rest()
}

// Package dataplane is the appliance: lanes, loops and the executor, put together, started, drained.
//
//	client ─► loop (entry.Desk: frame, admit, open block) ─ evBlock ─► executor: lane.propose ─► raft, journal
//	client ◄─ loop (submit_sm_resp) ◄─ evCommitted ─ lane.apply ◄────── committed, on stable storage
//	            lane: router list → plan → verifier list → ROUTE → internal queue of (carrier, class)
//	            executor.pull: credit of link sessions → DISPATCH ─► committed ─ evSend ─► loop (link) ─► carrier
//	carrier ─► loop (link) ─ evAnswer ─► lane: ANSWER            carrier ─► evFromCarrier ─► RECEIPT, FINAL
//	            FINAL committed → returns of the account ─ evDeliver ─► loop ─► client ─ evReturned ─► RETURN
//	query, cancel of a broadcast: evAsked ─► executor: EDR ─ evErrand ─► loop (link) ─► carrier ─ evErrandDone ─► evReply
//	carrier ─► loop (link) ─ evAlert ─► executor: mo rules ─ evAlert ─► loop ─► client, stored nowhere
//
// Who may touch what: a loop owns its desk and the sessions on it (loop.go, linkport.go). The executor owns
// lanes, books, layers, carriers and everything else in exec.go. They meet in two rings, one each way, and
// nowhere else, but for three atomics: the compiled catalog, the accounts, an account's credit and count.
// Keepers of links, the lobby and operators' questions run on goroutines of their own and reach the executor
// with call, a loop with transport.Engine.Post; both are for the rare.
//
// Decisions and their effects: the executor decides ahead of the log (phase.go), writes the decision as a
// record into its lane's state block, and lets bytes leave the host only when that block is committed.
//
// Bounds: rings of 16,384 events each way and loop; a loop's blocks in flight at most 64 per lane, of 128 KiB;
// two windows per link session dispatched and unanswered; one deliver_window per bind and per link session;
// 100,000,000 messages of a client between accept and carrier; receipts that arrive before their answer: 65,536;
// alert_notifications that wait between a loop and the executor: 4,096 each way.
package dataplane

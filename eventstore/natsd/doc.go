// Package natsd is an embedded nats-server, ready or not at all. It imports
// nothing of ours and is told whom to let in by a function.
//
// Two accounts keep callers and ledger apart (contract, section 7). In LEDGER is
// the stream and nobody but the connections that [Server.Ledger] makes inside
// this process. All others are in CALLERS, and reach six subjects of the ledger
// through service imports:
//
//	assent.cmd.*, assent.ask.*                    the doors
//	LED.API.CONSUMER.INFO.LEDGER.*                a subscriber's durable,
//	LED.API.CONSUMER.MSG.NEXT.LEDGER.*            read with a stock client
//	$JS.ACK.LEDGER.>                              and acknowledged
//
// A reply subject is why: a server publishes its answer to whatever subject the
// requester names, with its own permissions. In one account that deletes the
// stream (TestReplySubjectIsNoWeapon); across accounts the server makes a reply
// of its own and delivers the answer only where the caller is.
//
// The caller's duties:
//
//  1. Config.LetIn answers from what is recorded, and never blocks for long: a
//     connection waits for it.
//  2. When a key is revoked, first LetIn says no, then [Server.Disconnect] is
//     called: then no connection of it is left, and none comes again.
//  3. [Server.Stop] comes last, after everything that reads or writes.
package natsd

// Package natsd is an embedded nats-server, ready or not at all. It imports
// nothing of ours and is told whom to let in by a function.
//
// Two accounts keep callers and ledger apart (contract, section 7). In LEDGER is
// the stream and nobody but the connections that [Server.Ledger] makes inside
// this process. All others are in CALLERS, and reach these subjects of the ledger
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
// of its own and delivers the answer only where the caller is. There it may be
// another actor's inbox that the caller names: what that one waits for bears a
// token that can't be guessed (TestAnswerInAnothersInboxIsNoAnswer).
//
// Who asks is told by the subject, since an actor's permissions leave it no other
// door than its own, and by [Caller]: the key that the connection proved. The
// header from which that comes can be forged by a client that speaks the protocol
// by itself, so nobody reads it otherwise (TestForgedCallerIsNobody).
//
// The caller's duties:
//
//  1. Config.LetIn answers from what is recorded, and never blocks for long: a
//     connection waits for it.
//  2. When a key is revoked, first LetIn says no, then [Server.Disconnect] is
//     called: then no connection of it is left, and none comes again.
//  3. A door answers a message only where its reply begins with _R_., which the
//     server makes and no client may send.
//  4. [Server.Stop] comes last, after everything that reads or writes.
package natsd

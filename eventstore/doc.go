// Package eventstore is what is recorded: one JetStream stream, appended under a
// fence, read without a gap.
//
// It knows bytes, subjects and sequences, and nothing of their meaning. The stream
// is named LEDGER and takes every subject below assent.evt; one message is one
// event, headers mean nothing.
//
// # The fence
//
// A log may have a second writer: a process that believes itself alone, an old one
// that still has publishes queued somewhere. What is appended after n is recorded
// at n+1 only if the last message is the n that this writer knows; and appends may
// be in flight one behind the other. A sequence number alone doesn't hold that: if
// the append after n fails because a stranger's message took n+1, the one in flight
// behind it, that expects n+1, would be taken, on top of a message that nobody has
// looked at. So
//
//   - the oldest append in flight expects a sequence that was acknowledged;
//   - a single entry behind another expects its predecessor's message id besides;
//   - a batch can't expect one. Its messages are sent at once, and the one that
//     commits them when all before it is acknowledged.
//
// Message ids are for this alone, random and never sent twice: what finds a
// duplicate by its id can be poisoned by whoever sends it first. An acknowledgement
// counts if stream, sequence and batch are those foreseen and it is no duplicate.
// storetest.Run has a promise for each of the three; every log holds them.
//
// # The order of effects
//
//  1. Append publishes. A crash here leaves all of the entries or none.
//  2. The server has them on disk, and all before them.
//  3. The acknowledgement comes, and the Ack says nil.
//
// Between 2 and 3 anything may be lost: the caller then has ErrUnknown, and entries
// that are recorded or not. Settle finds out, and records them if nothing else was.
//
// # The caller's duties
//
//  1. One goroutine appends and settles. Reading is for all.
//  2. Each append begins where the one before it ends, the first one at Last.
//  3. When an Ack fails, no append follows until each one that failed was settled,
//     in their order. The first Settle that answers ErrFenced ends that: what is
//     in flight behind it was not recorded, and what the caller decided on it is
//     void.
//  4. The server syncs always (natsd does); nothing here can tell.
package eventstore

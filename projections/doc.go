// Package projections is what is known: read models in Pebble, each made from the
// stream alone, each at a stated sequence.
//
//	facts     every version of every fact: the domain.View of now and of any past event (facts.go)
//	trail     which events name a client, a record, a party, a clause … and when they were (trail.go)
//	due       what falls due as time passes (due.go)
//	documents the messages themselves, to be read one by one (documents.go)
//
// They hold nothing that the stream doesn't, and nobody backs them up: what is
// damaged, of another version or of another stream is built anew.
//
// # One Pebble for all
//
// All models but the documents lie in one Pebble, each under key spaces of its own
// (codec.go), so an event goes into all of them in one batch, and one position holds
// for all. Two would have two logs, two bounds on memory and positions that differ
// after a crash; what they would save, building one model anew without the other, is
// seconds a million events. The documents lie in files beside it, up to the same
// position: they are most of the bytes, and Pebble would write each several times.
//
// # The order of effects
//
// An event is applied once it is durable in the stream (the writer's acknowledged
// groups, or a replay of the stream). Store.Apply then
//
//  1. adds it to the open block of the trail, in memory
//  2. writes its message to the documents, unsynced
//  3. commits one batch, unsynced: facts, what is due, the tail of the open block or
//     the block where it is full, the position (sequence and hash of the message)
//  4. moves Position, and wakes who waits for it
//
// A crash leaves some earlier position with all that belongs to it, since Pebble
// keeps batches whole and in order, and Replay reads on from there
// (TestAfterACrashTheStoreIsWholeAtAnEarlierEvent). Questions look at nothing beyond
// Position, so what 1 and 2 leave without 3 is never seen. Of the documents some may
// be lost though 3 is not: those are read from the log.
//
// # Whose goroutine
//
// Apply, Replay and Rebuild belong to one goroutine at a time: the writer's applier,
// or the start. Everything else may be called from any goroutine at any time. The
// writer decides on an Overlay of its own, over Live, that knows what isn't applied
// yet.
//
// # A view that can't read
//
// domain.View has no errors, and "there is no such fact" would be the wrong answer:
// the fact may be the bar. So a view panics where it can't read, and whoever calls
// the law with one calls it in Guard.
package projections

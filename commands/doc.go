// Package commands is the one way in: signed commands decided one by one, recorded
// together, answered when durable.
//
// A command passes these, each its own goroutine or a few:
//
//	door       takes the message in; what is unsigned and short it reads itself
//	provers    read the rest and check signatures, on all cores
//	queue      bounded; each door's commands leave it in the order in which they came
//	writer     decides one after the other, makes events and sends them
//	acks       waits for each append, answers what it covers, in order
//	applier    takes recorded events into the read models
//	retries    answer what was answered before
//
// No stage waits for a later one without bound: what the queue has no room for is
// answered `unavailable` at once, and so is everything while it isn't known what
// became of an append, or while the clock can't be right.
//
// # The order of effects
//
//  1. The writer decides on a view that knows every event before, recorded or on its
//     way. The event gets the next sequence, its document, and its place in the
//     overlay.
//  2. It is appended, under the fence.
//  3. The ack comes: the event is on disk, and all before it.
//  4. The event counts as the latest: questions that come from now on wait for it.
//  5. If it changed a key, it is applied and those whom it concerns are told.
//  6. The command is answered, and those after it that were decided on its event and
//     record nothing.
//  7. The event is applied to the read models, without a sync.
//  8. The overlay may forget it.
//
// A crash between 1 and 2 leaves nothing. Between 2 and 3 the event is there or not;
// the sender has no answer, sends the same id again and is told. Between 3 and 6 it
// is there, and again the id tells; a key that it ended is refused from the start on,
// since nobody is let in before the store has read the stream. Between 6 and 8 the
// store is behind: Open brings it to the stream's end before a command is taken, the
// same way as a rebuild would.
//
// # When an ack fails
//
// Nothing is decided on what may not be there (design, decision 2):
//
//  1. The queue is shut: what waits and what comes is `unavailable`. Reads go on.
//  2. The writer stops; all acks on their way come, or fail to.
//  3. Each append from the first that failed is settled, in order: published again
//     under the same expectation until it certainly stands or certainly never will.
//     What stands is answered as if nothing had happened. Whoever has waited for a
//     second is told that it isn't known.
//  4. The first that never will, and all after it, were not recorded: their commands
//     are `unavailable`, and nobody decides them anew but their senders.
//  5. The overlay is dropped, the store reads the stream to its end, another
//     writer's events included, and the queue opens.
package commands

// Package vault is what can be forgotten: key ring, seal, shred; evidence content
// (files).
//
// Personal text enters an event twice: as a salted commitment inside the bytes
// that are signed, and as an opening of that commitment beside them, sealed under
// a key of its data subject (II.4). When that key is gone the text is gone, and
// signature and history still verify (II.5). Commitments, openings, the key ring
// and the sealed box are here. All that an erasure needs is in their format
// (docs/formats.md). The package knows bytes and strings and imports nothing of
// ours.
//
// # The key ring
//
// A ring is 4,096 shards, each a generation and a secret. The key of a subject is
// derived from its shard's secret and written nowhere, so that registering a
// subject writes nothing and a copy of the ring doesn't go stale. In the keys
// directory it is
//
//	ring/root       all shards, sealed under the key of the present epoch
//	ring/epoch-N.a  the key of epoch N
//	ring/epoch-N.b  the same once more
//
// A damaged or missing copy of the epoch key is made again from the other one when
// the ring is opened, and Notices says so.
//
// # Making a ring
//
// Create makes what doesn't exist under a name that Open never reads:
//
//  1. ring.new, what an earlier attempt left, is removed
//  2. ring.new is made
//  3. ring.new/epoch-1.a is written and synced
//  4. ring.new/epoch-1.b is written and synced
//  5. ring.new/root is written and synced
//  6. ring.new is synced
//  7. ring.new is renamed to ring
//  8. the keys directory is synced
//
// A crash before 7 leaves no ring: no key of it ever sealed anything, and the next
// Create begins anew. A crash after 7 leaves a whole ring or, where the power went
// before 8, none. So a directory named ring always was a whole ring once: Create
// keeps it, and whatever is missing from it is damage
// (TestCreateFinishesAfterACrashAtAnyStep).
//
// # Putting an epoch key back
//
// Open writes the sound copy as epoch-N.x.new, syncs it, renames it to its name and
// syncs the directory. A crash between two of them leaves the sound copy as it was,
// and the next Open does it again.
//
// # What Open answers
//
//	ErrNoRing, ErrDamaged     the ledger serves blind: with the nil Ring, which
//	                          shows what is sealed as sealed (ErrSealed) and takes
//	                          nothing to be sealed (ErrBlind)
//	ErrOtherLedger, ErrNewer  the keys directory isn't this ledger's or this
//	                          program's: nothing is served and nothing touched
//	fs.ErrNotExist            there is no keys directory at all
//
// Nothing here locks: whoever holds the ledger's lock calls Create and Open.
package vault

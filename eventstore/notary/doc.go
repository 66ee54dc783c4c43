// Package notary proves what was recorded: an RFC 6962 tree over the exact bytes of
// the messages, leaf i being the message of sequence i+1, signed checkpoints of it,
// and an archive that holds every message a second time.
//
// It knows bytes, not meaning, and imports nothing of ours. What it writes others can
// read without us: the archive is laid out as C2SP tlog-tiles, a checkpoint is a C2SP
// tlog-checkpoint in a signed note, a proof a C2SP tlog-proof. Its readers in the tests
// share no code with it (TestAnIndependentReaderReadsTheArchive).
//
// # The order of effects
//
// Before anything is archived there is a checkpoint of the empty tree: an archive
// without a checkpoint has lost it. What happens to a message, in this order:
//
//  1. The stream acknowledges it. Take is called.
//     Where somebody waits until there are two copies (Copied) it is written into the
//     archive's journal and synced there, for as long as no checkpoint has it.
//  2. Its entry bundle and its tiles are written, synced, renamed to their names, and
//     their directories synced. Once a bundle or a tile is full it never changes.
//  3. A checkpoint is signed over a tree that has it, compared with the last one, and
//     put in its place: written, synced, renamed, its directory synced.
//  4. The checkpoint is shown. The partial tiles and bundles are removed that have full
//     ones beside them; now and then its copy is put into the archive.
//  5. Witnesses are asked to cosign it; with their signatures it is put in its place
//     again, as in 3, if it is still the last.
//
// A crash after 1 leaves a message that the archive lacks, at most a second old: it is
// read from the stream at the next start, which is refused where the stream lacks what
// the journal has (TestACopyOutlivesAPowerCut). A crash after 2 leaves bundles and tiles
// that go beyond the checkpoint: they are made again, of the same bytes, and whatever
// was there is replaced. A crash after 3 leaves an old copy and partial tiles that
// nobody needs: the next start takes them away. A crash after 4 or 5 leaves cosignatures
// that nobody has: they are asked for again. An archive that is made anew has another
// name until it is whole (TestACrashAtEachStep, TestAPowerCutAtEachStep).
//
// An effect that fails leaves what a crash there would, and is done again, with all that
// the stream has by then (TestADiskThatFailsOnce). It isn't known whether a checkpoint
// that couldn't be put in its place stands there: none but that one is put there before
// it does. So there are never two of one size, nor one that doesn't go on from another.
//
// # What is trusted
//
// The log's key and the last checkpoint; of the archive and of the stream nothing that
// doesn't lead to that checkpoint's root (TestEveryFlippedBitIsFound). Whoever can write
// to all disks and has the key can make another history; a checkpoint that somebody else
// keeps exposes it, and a Witness is such a one (TestARolledBackLogIsExposed).
package notary

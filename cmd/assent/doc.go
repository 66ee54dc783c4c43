// Command assent is the ledger's service and its thin client.
//
// serve.go is the only place where the floors are wired; every other command is a
// NATS client of the running service, with an identity's key. No rule lives here:
// what a command may say is in the catalogue, what it means is the service's answer.
//
// # Making a ledger
//
// init, and serve where nothing is there, make a ledger by steps. Each is durable
// before the next begins, and each looks whether it is done already, so that one
// killed anywhere is finished by the next (TestInitKilledAnywhereIsFinished):
//
//  1. DIR is made and locked
//  2. KEYS is made, mode 0700
//  3. DIR/begun.json says which ledger it will be, and how it was asked for
//  4. KEYS/log.key is made
//  5. KEYS/identities/NAME.nk is made for each identity
//  6. KEYS/ring is made
//  7. the stream is made, empty
//  8. ledger.opened is recorded, sequence 1
//  9. identity.added is recorded for each identity but the admin
//  10. the subscriber's durable is made, and KEYS/identities/subscriber.json
//  11. DIR/begun.json is renamed to DIR/assent.json
//
// A crash before 3 leaves an empty directory and an empty keys directory, which
// count as nothing. From 3 on the directory is a ledger's, with the UUID that it
// keeps. From 11 on what is missing is lost, and is never made anew.
//
// # Rotating a key
//
// identity rotate makes NAME.nk.next, has it recorded, and renames it to NAME.nk. A
// crash before it is recorded leaves the old key in force, and the next rotation
// takes the same NAME.nk.next again. A crash after it is found when the old key is
// refused: if the ledger knows the next one, it is put in place
// (testdata/script/identities.txtar).
package main

// Package lawtest makes histories that the law allows, for tests that hold other
// things to them: a store to the map, an overlay to a fold from nothing, a decision
// to its own past.
//
// A Ledger is opened as init opens one. Do puts a command to the law and records
// what becomes of it; Step makes up a command that is likely, but not sure, to be
// accepted, of every row of the catalogue (TestMadeUpHistoriesReachTheWholeLaw), and
// Erase goes the whole way of an erasure. All chance is the caller's (rapid, or a
// seeded source), so a history can be made again.
package lawtest

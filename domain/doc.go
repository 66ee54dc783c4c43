// Package domain is the law: which command becomes which event, who may come
// near which record, on whose written word. One pure package.
//
// It holds no clock, no goroutine and no I/O, imports nothing but the standard
// library, and gives the same answer to the same history for ever. Time, ids and
// chance are arguments; what was known is asked of a View.
//
// The way of a command:
//
//	Decide   looks at it in the order of the contract's section 2 and says what
//	         is to be recorded, or which Fault answers it
//	Apply    says which facts an Event changes; only it opens, alters or ends one
//	View     answers what was known after some event; a History answers in tests
//	         and for an auditor, a store in the service
//
// Rules stand only in the rows of the catalogue, in the methods of the data that
// they are about, and for an access in the tables bars and bases.
package domain

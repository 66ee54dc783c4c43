package commands

import (
	"github.com/nats-io/nkeys"

	"github.com/qtccc/assent/domain"
)

// unsigned is the one command from which a gateway may leave the signature out.
const unsigned = "access.request"

// prove finds out who proves a command: the public key that does, or why none does
// (contract, section 7). The key is always the connection's, as the server vouches
// for it; where the command is signed it must have made the signature too. That the
// key is the actor's in force, and that who leaves the signature out is a gateway,
// the writer looks at.
//
// It costs 50 µs where there is a signature, so it runs before the queue.
func (j *job) prove(ledger domain.UUID) {
	r := j.req
	switch {
	case r.Ledger != ledger:
		j.unproven = "it is for another ledger"
	case r.Actor != j.door:
		j.unproven = "its actor is not the one whose door it came by"
	case j.key == "":
		j.unproven = "nobody vouches for the connection"
	case r.Signature == nil && r.Name != unsigned:
		j.unproven = "it has no signature"
	case r.Signature != nil && !r.signedBy(j.key):
		j.unproven = "the connection's key did not make its signature"
	default:
		j.proof = j.key
	}
}

// signedBy says whether the holder of the key signed the request. One signature has
// one spelling: a value s beyond the group's order, and bits left over in BASE64,
// are refused (TestEveryAlteredByteIsNoticed).
func (r *Request) signedBy(key domain.PublicKey) bool {
	public, err := nkeys.FromPublicKey(string(key))
	if err != nil {
		return false
	}
	var short [1024]byte
	return public.Verify(r.signed(short[:0]), r.Signature) == nil
}

// isGateway says whether the actor is a gateway, in force or not.
func isGateway(v domain.View, actor domain.ID) bool {
	known, ok := v.Get(domain.Key{Kind: domain.KindActor, C: string(actor)})
	if !ok {
		return false
	}
	a, ok := known.Fact.(*domain.Actor)
	return ok && a.Role == domain.Gateway
}

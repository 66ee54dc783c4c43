package domain_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/domain/lawtest"
)

// TestAGrantNamesWhatItRestsOn: II.1, a grant is traceable. Each of its reasons names
// events before it and papers that were filed; a denial names nothing that wasn't.
func TestAGrantNamesWhatItRestsOn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := settled(t)
		for _, r := range requests(t, l) {
			d := decide(l, r)
			require.NotEmpty(t, d.Reasons)
			require.Equal(t, d.Granted(), d.Violation == "")
			require.True(t, slices.IsSortedFunc(d.Reasons, inOrder), ruling(d))
			for _, why := range d.Reasons {
				if d.Granted() {
					require.NotEmpty(t, why.Refs, ruling(d))
				}
				require.LessOrEqual(t, len(why.Refs), 16)
				for i, ref := range why.Refs {
					require.Less(t, ref, l.Last()+1)
					require.Positive(t, ref)
					require.True(t, i == 0 || why.Refs[i-1] < ref)
				}
				for _, paper := range why.Evidence {
					_, filed := l.View().Get(domain.Key{Kind: domain.KindEvidence, C: string(paper)})
					require.True(t, filed, paper)
				}
			}
		}
	})
}

// chains is how a grant leads back from a reason to its instrument, and to those who
// recorded it: the events of which one is named, and the kind of the papers.
var chains = map[string]struct {
	events string
	papers domain.EvidenceKind
}{
	"designated": {"designation.made designation.changed engagement.confirmed", ""}, // a letter or a confirmation
	"consented":  {"consent.given", domain.ConsentPaper},
	"delegated":  {"delegation.authorized", ""}, // a special authorisation, and the designation's
	"contact":    {"client.registered contact.named", ""},
	"authorized": {"authorization.issued", ""},
	"confirmed":  {"evidence.filed", domain.ModificationConfirmation},
	"approved":   {"approval.given", ""},
}

// TestAGrantLeadsBackToEvidenceOrANamedActor: II.1. Of everything that was ever
// granted: what it rests on was recorded before, by an actor of the ledger, and but
// for a contact, an authorisation and an approval there is a signed paper behind it
// that was filed for this client and not void.
func TestAGrantLeadsBackToEvidenceOrANamedActor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := settled(t)
		for _, e := range l.Events {
			if e.Type != "access.granted" {
				continue
			}
			bases := 0
			for _, why := range e.Decision.Reasons {
				code := strings.TrimPrefix(why.Code, "recipient-")
				chain, ok := chains[code]
				if !ok { // the category: whom the party was registered by
					require.Contains(t, domain.Categories, domain.Category(code))
					require.Equal(t, "party.registered", l.Events[why.Refs[0]-1].Type)
					continue
				}
				if code != "confirmed" && code != "approved" {
					bases++
				}
				leadsBack(t, literal{l.Events[:e.Seq-1], e.Time}, e.Data.(*domain.AccessRequest).Client, why, strings.Fields(chain.events), chain.papers)
			}
			r := e.Data.(*domain.AccessRequest)
			require.Equal(t, 1+min(1, len(r.Recipient)), bases, ruling(e.Decision))
		}
	})
}

func leadsBack(t *rapid.T, before literal, client domain.ID, why domain.Reason, events []string, kind domain.EvidenceKind) {
	named := false
	for _, ref := range why.Refs {
		e := before.events[ref-1]
		require.Nil(t, e.Refusal)
		role, _ := before.own(e.Actor)
		require.NotEmpty(t, role, "%s of #%d is no actor", e.Actor, ref)
		named = named || slices.Contains(events, e.Type)
	}
	require.True(t, named, "%s names none of %s", why.Code, events)
	optional := slices.Contains(events, "client.registered") || slices.Contains(events, "authorization.issued") || slices.Contains(events, "approval.given")
	if !optional {
		require.NotEmpty(t, why.Evidence, why.Code)
	}
	for _, id := range why.Evidence {
		f, void := before.paper(id)
		require.NotNil(t, f, id)
		if optional && !slices.Contains(events, "authorization.issued") {
			continue // a reference
		}
		require.False(t, void, id)
		if !optional {
			require.True(t, f.Signed && f.Client == client, id)
		}
		require.True(t, kind == "" || f.Kind == kind, id)
	}
}

// TestNothingOfWhatWasErasedIsGranted: II.5. Whatever was granted before an erasure
// was approved is denied after it, as of something that isn't registered.
func TestNothingOfWhatWasErasedIsGranted(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, c := settled(t), chance(t)
		gone := l.Erase(c)
		of := func(r *domain.AccessRequest) bool {
			return gone.Client != "" && r.Client == gone.Client ||
				gone.Party != "" && slices.Contains([]domain.ID{r.Party, r.Bearer, r.Recipient, r.BehalfOf}, gone.Party)
		}
		for range 10 {
			for _, e := range l.Events {
				r, ok := e.Data.(*domain.AccessRequest)
				if !ok || !of(r) {
					continue
				}
				d := decide(l, r)
				require.False(t, d.Granted(), "%+v: %s", r, ruling(d))
				require.True(t, slices.ContainsFunc(d.Reasons, func(r domain.Reason) bool {
					return r.Clause == "II.0" || r.Code == "not-delegated" // whom it acts for
				}), ruling(d))
			}
			if e := l.Step(c); e.Type == "access.granted" {
				require.False(t, of(e.Data.(*domain.AccessRequest)))
			}
		}
		for _, known := range l.View().List(domain.KindRight, string(gone.Client), "") {
			require.False(t, known.Fact.(*domain.Right).Standing(l.View(), l.Now).InForce)
		}
	})
}

// TestAnApprovalIsSpentOnce: II.6. However often it is named.
func TestAnApprovalIsSpentOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l, spent := settled(t), map[string]bool{}
		for _, e := range l.Events {
			r, ok := e.Data.(*domain.AccessRequest)
			if !ok || e.Decision == nil || !slices.ContainsFunc(e.Decision.Reasons, func(r domain.Reason) bool { return r.Code == "approved" }) {
				continue
			}
			require.True(t, e.Decision.Granted())
			require.False(t, spent[string(r.Client+"/"+r.Approval)])
			spent[string(r.Client+"/"+r.Approval)] = true
			again := domain.DecideAccess(l.History.At(e.Seq), r, e.Time, l.Next())
			require.False(t, again.Granted(), ruling(again))
		}
	})
}

// TestADenialJoinsAViolationThatIsInvestigated: II.3. One that is investigated is
// open still, so the next attempt joins it once the earlier ones are closed.
func TestADenialJoinsAViolationThatIsInvestigated(t *testing.T) {
	l := lawtest.Open(newYear)
	l.Settle()
	ask := &domain.AccessRequest{Client: "acme", Record: "ordinary", Party: "lawyer", Action: domain.Use, Purpose: "fees"}
	first := l.Must("gateway", ask)
	second := l.Must("officer", &domain.ViolationReport{Client: "acme", Party: "lawyer", Note: lawtest.Text(1)})
	l.Must("officer", &domain.ViolationInvestigate{Violation: second.ID, Note: lawtest.Text(1)})
	require.Equal(t, first.ID, l.Must("gateway", ask).Decision.Violation)
	l.Must("officer", &domain.ViolationClose{Violation: first.ID, Finding: domain.Findings[0], Note: lawtest.Text(1)})
	require.Equal(t, second.ID, l.Must("gateway", ask).Decision.Violation)
	l.Must("officer", &domain.ViolationClose{Violation: second.ID, Finding: domain.Findings[0], Note: lawtest.Text(1)})
	last := l.Must("gateway", ask)
	require.Equal(t, last.ID, last.Decision.Violation)
}

// TestALoanRestsOnAGrantOfWhatIsOnPaper: II.0. A record that came to be electronic and
// back begins anew (docs/decisions/0010).
func TestALoanRestsOnAGrantOfWhatIsOnPaper(t *testing.T) {
	l := lawtest.Open(newYear)
	l.Settle()
	lend := &domain.RecordLend{Client: "acme", Record: "original", Holder: "li"}
	ask := &domain.AccessRequest{Client: "acme", Record: "original", Party: "li", Action: domain.Consult, Purpose: "fees"}
	require.Equal(t, "access.granted", l.Must("gateway", ask).Type)
	for _, medium := range []domain.Medium{domain.Electronic, domain.Physical} {
		l.Must("clerk", &domain.RecordAmend{Client: "acme", Record: "original", Medium: medium, Reason: lawtest.Text(1)})
	}
	out, _ := l.Do("clerk", lend)
	require.Equal(t, "no-grant", out.Fault.Reason)
	l.Must("gateway", ask)
	l.Must("clerk", lend)
}

package domain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/domain/lawtest"
)

// more is what happened at the agency besides, so that one command can fail in
// several ways.
const more = `
as clerk  party register --party retired --category staff
as officer  party retire --party retired
as admin  identity add --actor second --role officer --party chen
as admin  identity revoke --actor spare
as clerk  evidence file --evidence used --client acme --kind confirmation-letter
as clerk  designation make --client acme --designation used --party lawyer --all --evidence used
as clerk  designation revoke --client acme --designation used
as officer  evidence void --evidence used
as clerk  evidence file --evidence used-unstamped --client acme --kind confirmation-letter --sha256 used --stamped=false
as clerk  evidence file --evidence ec-bad --client acme --kind engagement-confirmation --signed=false
as officer  evidence void --evidence ec-1
as clerk  evidence file --evidence ec-again --client acme --kind engagement-confirmation --sha256 ec-1 --stamped=false
as clerk  evidence file --evidence ec-4 --client acme --kind engagement-confirmation --stamped=false
as clerk  evidence file --evidence special-3 --client acme --kind special-authorization --sha256 special-1-other
as clerk  delegation revoke --client acme --delegation g1
as officer  evidence void --evidence special-1
as clerk  evidence file --evidence special-bad --client acme --kind special-authorization --sha256 special-1 --stamped=false
as clerk  consent withdraw --client acme --consent c1
as officer  evidence void --evidence consent-1
as clerk  evidence file --evidence consent-bad --client acme --kind consent --sha256 consent-1 --signed=false
as clerk  evidence file --evidence nda-bad --party courier --kind undertaking --signed=false
as clerk  record register --client acme --record secret --class sensitive --encrypted --keep P9Y
as clerk  record register --client acme --record ashes --keep PT0S
as officer  record destroy --client acme --record ashes --operator courier --witness wu
as clerk  record register --client acme --record dust --medium physical --custody 'cabinet 3' --keep PT0S
as officer  record destroy --client acme --record dust --operator courier --witness wu
as admin  identity add --actor third --role manager --party chen
as officer  terms agree --client acme --terms done --evidence special-terms-1
as officer  terms end --client acme --terms done --evidence special-terms-2
as manager  hold place --client acme --hold h2 --records out
as manager  hold place --client acme --hold h3
as manager  hold lift --client acme --hold h3
as clerk  client register --client closed
as second  erasure request --client closed
as clerk  record register --client closed --record r1
as clerk  violation report --client closed --party chen
as manager  violation close --violation #12 --finding mistake
as clerk  client register --client erased
as clerk  evidence file --evidence of-erased --client erased --kind consent
as officer  evidence void --evidence of-erased
as officer  erasure request --client erased
as manager  erasure approve --client erased
as manager  review open --review r0
as manager  review decide --review r0 --client acme --authorization a1 --verdict keep
as manager  review close --review r0
as manager  authorization issue --client acme --authorization short --party nmpa --all --purposes relationship --until 2026-03-01
as third  authorization issue --client acme --authorization own --party nmpa --records label --purposes relationship
as third  authorization issue --client acme --authorization own-ended --party nmpa --all --purposes relationship
as manager  review open --review r1
as officer  authorization issue --client acme --authorization later --party nmpa --all --purposes relationship
as officer  authorization revoke --client acme --authorization later
as officer  authorization revoke --client acme --authorization own-ended
as officer  inquiry answer --inquiry q2
`

// TestTheFirstFailureAnswers: each of these commands fails in at least two ways, and
// the one that stands first in the contract's section 2, or leftmost in the row,
// answers.
func TestTheFirstFailureAnswers(t *testing.T) {
	s := &story{lawtest.Open(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))}
	for line := range strings.Lines(strings.TrimSpace(agency + strings.TrimPrefix(more, "\n"))) {
		s.given(t, strings.TrimSpace(line))
	}
	for _, tt := range []struct{ line, first, second string }{
		// 1 form, 2 actor, 4 role
		{"as nobody  access request --party li --record label --purpose fees --recipient li", "invalid /data/recipient", "unauthenticated"},
		{"as auditor  evidence file --evidence new --kind other", "invalid /data/client", "forbidden"},
		{"as spare  client register --client acme", "unauthenticated", "forbidden"},
		{"as auditor  client register --client new --contacts nobody", "forbidden", "unknown"},
		{"as auditor  client register --client acme", "forbidden", "exists"},
		{"as manager  party retire --party gone", "forbidden", "ended"},
		{"as auditor  designation make --client acme --designation new --party gone --all --evidence letter-2", "forbidden", "P.1"},
		// 5 what is not there; a party of another category is of no institution
		{"as clerk  party register --party li --category external --of none", "unknown /data/of", "exists"},
		{"as clerk  party register --party li --category external --of lawyer", "invalid /data/of", "exists"},
		{"as clerk  designation make --client acme --designation d1 --party lawyer --all --evidence none", "unknown /data/evidence", "exists"},
		{"as clerk  designation revoke --client acme --designation used --evidence none", "unknown /data/evidence", "ended"},
		{"as clerk  contact drop --client acme --party lawyer --evidence none", "unknown", "unknown"},
		{"as clerk  consent give --client acme --consent new --party gone --all --purposes fees --evidence none", "unknown /data/evidence", "P.1"},
		{"as clerk  engagement confirm --client acme --engagement e1 --evidence ec-3 --purposes fees --designees '[{\"designation\":\"d1\",\"party\":\"nobody\",\"scope\":{\"all\":true}}]'", "unknown /data/designees/0/party", "exists"},
		{"as clerk  record amend --client acme --record ashes --engagement none", "unknown /data/engagement", "II.5"},
		{"as manager  review decide --review none --client acme --authorization short --verdict keep --until 2026-04-01", "invalid /data/until", "unknown"},
		{"as clerk  approval give --client none --approval new --party nobody --record none --purpose fees --recipient li", "invalid /data/recipient", "forbidden"},
		{"as clerk  erasure request --client none", "forbidden", "unknown"},
		{"as officer  inquiry answer --inquiry q2 --attempt none", "unknown /data/attempt", "IV.4"},
		{"as clerk  record lend --client acme --record label --holder nobody", "unknown /data/holder", "II.0"},
		{"as officer  hold place --client acme --hold h1 --records none", "unknown /data/records/0", "exists"},
		{"as manager  review decide --review r0 --client acme --authorization none --verdict keep", "unknown /data/authorization", "II.2"},
		{"as clerk  policy notify --edition 9 --client erased", "unknown /data/edition", "II.5"},
		{"as officer  violation close --violation #12 --finding mistake --evidence none", "unknown /data/evidence", "II.3"},
		// 5 what is not there, then what is erased
		{"as clerk  contact name --client erased --party nobody", "unknown /data/party", "II.5 erased"},
		{"as auditor  client amend --client erased", "forbidden", "II.5 erased"},
		{"as clerk  client register --client erased", "refused II.5 erased", "exists"},
		{"as officer  evidence void --evidence of-erased", "refused II.5 erased", "ended"},
		{"as clerk  contact name --client erased --party gone", "refused II.5 erased", "P.1"},
		{"as manager  erasure approve --client erased", "refused II.5 erased", "II.5 not-requested"},
		// 6 what is there, then what has ended
		{"as admin  identity rotate --actor spare --publicKey officer", "exists /data/publicKey", "ended"},
		{"as admin  identity add --actor new --role clerk --party courier --publicKey officer", "exists /data/publicKey", "II.1"},
		{"as clerk  designation make --client acme --designation d1 --party gone --all --evidence letter-2", "exists /data/designation", "P.1"},
		{"as clerk  client register --client acme --contacts gone", "exists /data/client", "P.1"},
		{"as clerk  evidence file --evidence letter-1 --client acme --kind consent --signedOn 2027-01-01", "exists /data/evidence", "II.1"},
		{"as clerk  record register --client acme --record label --engagement old", "exists /data/record", "II.5"},
		{"as officer  terms agree --client acme --terms t1 --evidence ec-3", "exists /data/terms", "II.6"},
		{"as officer  terms end --client acme --terms done --evidence ec-3", "ended /data/terms", "II.6"},
		{"as second  approval give --client acme --approval ok1 --party chen --record label --purpose fees", "exists /data/approval", "II.6"},
		{"as officer  hold lift --client acme --hold h3", "ended /data/hold", "II.5 held"},
		{"as manager  review open --review r0", "exists /data/review", "II.2 review-open"},
		// 7 P.1 before the row's own
		{"as second  approval give --client acme --approval new --party gone --record label --action transfer --purpose fees --recipient chen", "refused P.1 party-retired", "II.6"},
		{"as officer  training complete --party gone --until 2027-01-01", "refused P.1 party-retired", "P.2"},
		{"as officer  undertaking give --party gone --evidence nda-bad", "refused P.1 party-retired", "P.3"},
		{"as clerk  client register --client new --contacts wu,gone", "refused P.1 party-retired", "IV.2"},
		{"as clerk  contact name --client acme --party retired", "refused P.1 party-retired", "IV.2"},
		{"as clerk  designation make --client acme --designation new --party retired --all --evidence ec-3", "refused P.1 party-retired", "III.3"},
		{"as officer  delegation authorize --client acme --delegation new --designation d1 --delegate retired --evidence ec-3", "refused P.1 party-retired", "III.5"},
		{"as clerk  consent give --client acme --consent new --party retired --all --purposes fees --evidence ec-3", "refused P.1 party-retired", "II.0"},
		{"as officer  authorization issue --client acme --authorization new --party gone --all --purposes fees --need ' '", "refused P.1 party-retired", "II.2"},
		{"as clerk  engagement confirm --client acme --engagement new --evidence ec-bad --purposes fees --designees '[{\"designation\":\"new\",\"party\":\"gone\",\"scope\":{\"all\":true}}]'", "refused P.1 party-retired", "IV.1"},
		// 7 the row's own, from left to right
		{"as clerk  engagement confirm --client acme --engagement new --evidence ec-bad --purposes fees --designees '[{\"designation\":\"new\",\"party\":\"wu\",\"scope\":{\"all\":true}}]'", "refused IV.1 evidence-unfit", "III.3 not-external"},
		{"as clerk  engagement confirm --client acme --engagement new --evidence ec-again --purposes fees --designees '[{\"designation\":\"new\",\"party\":\"wu\",\"scope\":{\"all\":true}}]'", "refused IV.1 evidence-used", "III.3 not-external"},
		{"as clerk  engagement confirm --client acme --engagement new --evidence ec-4 --purposes fees --designees '[{\"designation\":\"new\",\"party\":\"lawyer\",\"scope\":{\"all\":true}},{\"designation\":\"new2\",\"party\":\"wu\",\"scope\":{\"all\":true}}]'", "refused III.3 not-external", "III.3 evidence-unfit"},
		{"as clerk  record register --client acme --record new --engagement old --class sensitive", "refused II.5 engagement-closed", "II.4"},
		{"as clerk  record amend --client acme --record ashes --engagement old", "refused II.5 destroyed", "II.5 engagement-closed"},
		{"as clerk  record amend --client acme --record secret --engagement old --encrypted=false", "refused II.5 engagement-closed", "II.4 unencrypted"},
		{"as clerk  record amend --client acme --record secret --class ordinary --medium physical", "refused II.0 no-custody", "II.4 declassified"},
		{"as clerk  record amend --client acme --record secret --class ordinary --engagement e1", "refused II.4 declassified", "II.1 moved"},
		{"as clerk  designation make --client acme --designation new --party wu --all --evidence ec-3", "refused III.3 not-external", "III.3 evidence-unfit"},
		{"as clerk  designation make --client acme --designation new --party lawyer --all --evidence used-unstamped", "refused III.3 evidence-unfit", "III.3 evidence-used"},
		{"as clerk  designation change --client acme --designation used --all --purposes fees --actions use --evidence ec-3", "refused III.3 designation-ended", "III.3 evidence-unfit"},
		{"as officer  delegation authorize --client acme --delegation new --designation used --delegate wu --evidence ec-3", "refused III.5 not-external", "III.5 evidence-unfit"},
		{"as officer  delegation authorize --client acme --delegation new --designation used --delegate agent --evidence special-bad", "refused III.5 evidence-unfit", "III.5 evidence-used"},
		{"as clerk  consent give --client acme --consent new --party wu --all --purposes fees --evidence ec-3", "refused II.0 needs-authorization", "II.1"},
		{"as clerk  consent give --client acme --consent new --party nmpa --all --purposes fees --evidence consent-bad", "refused II.1 evidence-unfit", "II.1 evidence-used"},
		{"as officer  authorization issue --client acme --authorization new --party li --all --purposes fees --need ' '", "refused II.2 no-need", "II.2 no-relation"},
		{"as officer  authorization issue --client acme --authorization new --party li --all --purposes fees", "refused II.2 no-relation", "III.3 external"},
		{"as officer  authorization issue --client acme --authorization new --party courier --all --purposes fees --engagement old", "refused II.2 no-relation", "P.3"},
		{"as second  authorization issue --client acme --authorization new --party chen --all --purposes fees", "refused II.2 no-relation", "II.2 self-issued"},
		{"as officer  record destroy --client acme --record ashes --operator wu --witness wu", "refused II.5 destroyed", "II.5 no-witness"},
		{"as officer  record destroy --client acme --record secret --operator wu --witness wu", "refused II.5 retention-runs", "II.5 no-witness"},
		{"as clerk  record lend --client acme --record ashes --holder agent", "refused II.0 not-physical", "II.5 destroyed"},
		{"as clerk  record lend --client acme --record dust --holder agent", "refused II.5 destroyed", "II.0 no-grant"},
		{"as clerk  record lend --client acme --record out --holder agent", "refused II.0 lent", "II.0 no-grant"},
		{"as clerk  record amend --client acme --record out --medium electronic --engagement old", "refused II.0 lent", "II.5 engagement-closed"},
		{"as officer  record destroy --client acme --record out --operator wu --witness wu", "refused II.0 lent", "II.5 held"},
		{"as officer  record destroy --client acme --record original --operator wu --witness wu", "refused II.5 held", "II.5 retention-runs"},
		{"as officer  erasure request --client acme", "refused II.5 records-remain", "II.5 engagement-open"},
		{"as manager  erasure approve --client acme", "refused II.5 not-requested", "II.5 records-remain"},
		{"as third  erasure approve --client closed", "refused II.5 self-approved", "II.5 records-remain"},
		{"as manager  erasure approve --client closed", "refused II.5 records-remain", "II.3 violation-open"},
		{"as officer  erasure request --party chen", "refused II.5 in-use", "II.3 violation-open"},
		{"as second  violation close --violation #12 --finding mistake", "refused II.3 closed", "II.3 own-violation"},
		{"as manager  review decide --review r0 --client acme --authorization own-ended --verdict keep", "refused II.2 not-in-review", "II.2 authorization-ended"},
		{"as manager  review decide --review r1 --client acme --authorization later --verdict keep", "refused II.2 not-in-review", "II.2 authorization-ended"},
		{"as third  review decide --review r1 --client acme --authorization own-ended --verdict keep", "refused II.2 authorization-ended", "II.2 self-review"},
		{"as third  review decide --review r1 --client acme --authorization own --verdict narrow --all", "refused II.2 self-review", "II.2 widens"},
		{"as manager  policy publish --edition 6 --reviewEvery P7M", "refused V.2 not-later", "V.1 loosens"},
	} {
		t.Run(tt.line, func(t *testing.T) {
			got := (&story{s.Fork()}).refuse(t, tt.line)
			assert.True(t, strings.HasPrefix(got, tt.first), "%s: wanted %s before %s, got %s", tt.line, tt.first, tt.second, got)
		})
	}
}

// TestWhoeverProvesNothingIsAnsweredNothing: an id that was answered is answered
// first only to its own actor; a proof that fails, or a clock that is wrong, adds
// nothing (contract, sections 2 and 7).
func TestWhoeverProvesNothingIsAnsweredNothing(t *testing.T) {
	l := lawtest.Open(newYear)
	c := l.Command("clerk", &domain.PartyRegister{Party: "li", Category: domain.External, Kind: domain.Person, Name: lawtest.Text(1)})
	_, first := l.Send(c)
	require.NotNil(t, first)
	for about, tt := range map[string]struct {
		change func(*domain.Command)
		want   domain.Code
		field  string
		again  domain.Seq
	}{
		"the same":                     {func(*domain.Command) {}, "", "", first.Seq},
		"the same, of another content": {func(c *domain.Command) { c.Data = &domain.ClientAmend{Client: "none"}; c.Name = "client.amend" }, "", "", first.Seq},
		"the same, long ago":           {func(c *domain.Command) { c.Issued = newYear.AddDate(-1, 0, 0) }, "", "", first.Seq},
		"the same by no key":           {func(c *domain.Command) { c.Key = "" }, domain.Unauthenticated, "", 0},
		"the same by another's key":    {func(c *domain.Command) { c.Key = lawtest.Key("officer") }, domain.Unauthenticated, "", 0},
		"another's of the same id":     {func(c *domain.Command) { c.Actor, c.Key = "officer", lawtest.Key("officer") }, domain.Exists, "/data/party", 0},
		"nobody's":                     {func(c *domain.Command) { c.Actor = "nobody" }, domain.Unauthenticated, "", 0},
		"another, 5 minutes late":      {func(c *domain.Command) { c.ID, c.Issued = lawtest.UUID(4, 99), newYear.Add(-5*time.Minute) }, domain.Exists, "/data/party", 0},
		"another, later":               {func(c *domain.Command) { c.ID, c.Issued = lawtest.UUID(4, 99), newYear.Add(-5*time.Minute-1) }, domain.Unauthenticated, "/issued", 0},
		"another, early":               {func(c *domain.Command) { c.ID, c.Issued = lawtest.UUID(4, 99), newYear.Add(5*time.Minute+1) }, domain.Unauthenticated, "/issued", 0},
		"another, by a clock that was ahead": {func(c *domain.Command) {
			c.ID, c.Issued, c.Clock = lawtest.UUID(4, 99), newYear, newYear.Add(-6*time.Minute)
		}, domain.Unauthenticated, "/issued", 0},
		"another, derived anew":             {func(c *domain.Command) { c.ID, c.Issued = lawtest.UUID(4, 99), time.Time{} }, domain.Exists, "/data/party", 0},
		"a name that isn't of the contract": {func(c *domain.Command) { c.Name = "party.delete" }, domain.Invalid, "/name", 0},
	} {
		t.Run(about, func(t *testing.T) {
			sent := *c
			tt.change(&sent)
			out, e := l.Send(&sent)
			require.Nil(t, e)
			require.Equal(t, tt.again, out.Again)
			if tt.want == "" {
				require.Nil(t, out.Fault)
				return
			}
			require.NotNil(t, out.Fault)
			require.Equal(t, tt.want, out.Fault.Code)
			require.Equal(t, tt.field, out.Fault.Field)
		})
	}
}

// TestTheLedgerIsOpenedOnceByTheAdminThatItNames: sequence 1, and only there.
func TestTheLedgerIsOpenedOnceByTheAdminThatItNames(t *testing.T) {
	open := lawtest.Open(newYear).Events[0].Data.(*domain.LedgerOpen)
	send := func(l *lawtest.Ledger, as domain.ID, key string, data domain.Data) string {
		c := l.Command(as, data)
		c.Key = lawtest.Key(key)
		out, e := l.Send(c)
		if out.Fault != nil {
			return string(out.Fault.Code) + out.Fault.Field
		}
		return e.Type
	}
	l := &lawtest.Ledger{Now: newYear}
	assert.Equal(t, "unauthenticated", send(l, "admin", "admin", &domain.ClockAffirm{}), "nothing happens before it is open")
	assert.Equal(t, "unauthenticated", send(l, "clerk", "clerk", open))
	assert.Equal(t, "unauthenticated", send(l, "admin", "clerk", open))
	other := *open
	other.Format = 2
	assert.Equal(t, "invalid/data/format", send(l, "admin", "admin", &other))
	other = *open
	other.Policy.Edition = 0
	assert.Equal(t, "invalid/data/policy/edition", send(l, "admin", "admin", &other))
	assert.Equal(t, "ledger.opened", send(l, "admin", "admin", open))
	assert.Equal(t, "command.refused", func() string { l.Do("admin", open); return l.Events[1].Type }())
	assert.Equal(t, domain.Forbidden, l.Events[1].Refusal.Code)
}

// TestTheIdentitiesOfInitNeedNoParty: II.1. They are named after their role and come
// before anything but the opening and identities; a refusal of one is something else.
func TestTheIdentitiesOfInitNeedNoParty(t *testing.T) {
	add := func(l *lawtest.Ledger, actor domain.ID, role domain.Role) string {
		out, _ := l.Do("admin", &domain.IdentityAdd{Actor: actor, Role: role, PublicKey: lawtest.Key(string(actor))})
		if out.Fault != nil {
			return out.Fault.Reason
		}
		return out.Type
	}
	l := &lawtest.Ledger{Now: newYear}
	l.Must("admin", lawtest.Open(newYear).Events[0].Data)
	assert.Equal(t, "identity.added", add(l, "clerk", domain.Clerk))
	l.Must("admin", &domain.IdentityRotate{Actor: "clerk", PublicKey: lawtest.Key("clerk-2")})
	assert.Equal(t, "identity.added", add(l, "officer", domain.Officer))
	assert.Equal(t, "identity.added", add(l, "portal", domain.Gateway), "a gateway never needs one")
	assert.Equal(t, "no-party", add(l, "wu", domain.Clerk))
	assert.Equal(t, "no-party", add(l, "manager", domain.Manager), "after anything else")
}

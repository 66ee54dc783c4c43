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

// agency has one of everything that a command may name.
const agency = `
as clerk  violation report --note 'the violation of #8'
as gateway  access request --client none --record none --party none --purpose fees --bearer none
as clerk  party register --party wu --category staff
as clerk  party register --party chen --category staff
as clerk  violation report --party chen --note 'the violation of #12'
as clerk  party register --party li --category external
as clerk  party register --party lawyer --category external
as clerk  party register --party agent --category external
as clerk  party register --party gone --category external
as clerk  party register --party firm --category external --kind institution
as clerk  party register --party courier --category contractor
as clerk  party register --party nmpa --category authority
as clerk  party register --party buyer --category assignee
as officer  party retire --party gone
as admin  identity add --actor spare --role auditor
as clerk  client register --client acme --contacts li
as clerk  record register --client acme --record label --keep PT0S
as clerk  evidence file --evidence letter-1 --client acme --kind confirmation-letter
as clerk  evidence file --evidence letter-2 --client acme --kind confirmation-letter
as clerk  evidence file --evidence special-1 --client acme --kind special-authorization
as clerk  evidence file --evidence special-2 --client acme --kind special-authorization
as clerk  evidence file --evidence consent-1 --client acme --kind consent
as clerk  evidence file --evidence consent-2 --client acme --kind consent
as clerk  evidence file --evidence ec-1 --client acme --kind engagement-confirmation
as clerk  evidence file --evidence ec-2 --client acme --kind engagement-confirmation
as clerk  evidence file --evidence ec-3 --client acme --kind engagement-confirmation
as clerk  evidence file --evidence nda-1 --party courier --kind undertaking
as clerk  engagement confirm --client acme --engagement e1 --evidence ec-1 --purposes service
as clerk  engagement confirm --client acme --engagement old --evidence ec-2 --purposes service
as officer  engagement close --client acme --engagement old
as clerk  designation make --client acme --designation d1 --party lawyer --all --evidence letter-1
as officer  delegation authorize --client acme --delegation g1 --designation d1 --delegate agent --evidence special-1
as clerk  consent give --client acme --consent c1 --party nmpa --all --purposes fees --evidence consent-1
as officer  authorization issue --client acme --authorization a1 --party nmpa --all --purposes relationship
as clerk  record register --client acme --record original --medium physical --custody 'cabinet 3'
as clerk  record register --client acme --record out --medium physical --custody 'cabinet 3'
as gateway  access request --record original --party lawyer --purpose fees
as gateway  access request --record out --party lawyer --purpose fees
as clerk  record lend --client acme --record out --holder lawyer
as clerk  evidence file --evidence special-terms-1 --client acme --kind special-terms
as clerk  evidence file --evidence special-terms-2 --client acme --kind special-terms
as officer  terms agree --client acme --terms t1 --evidence special-terms-1
as officer  approval give --client acme --approval ok1 --party lawyer --record label --purpose fees
as officer  hold place --client acme --hold h1 --records original
as clerk  client register --client small
as clerk  inquiry receive --inquiry q1 --client acme
as clerk  inquiry receive --inquiry q2
as clerk  inquiry receive --inquiry done
as officer  inquiry answer --inquiry done
as officer  erasure request --client small
as officer  erasure request --party gone
as officer  erasure request --inquiry done
`

// leadUp is what else a row's command needs, and what would be in the way of others.
var leadUp = map[string]string{
	"review.decide": "as manager  review open --review r1",
	"review.close":  "as manager  review open --review r1\nas manager  review decide --review r1 --client acme --authorization a1 --verdict keep",
}

// rows are complete commands, one of each row but ledger.open.
var rows = []struct {
	words string
	// refers are the flags that name what must be there, with the pointer that blames
	// them; behind another "=" the word for what isn't there, where "none" can't be. In
	// quotes it is the word itself that names it.
	refers string
	// again is what becomes of the same command under another id.
	again   string
	subject string
}{
	{"ledger rekey --log assent/x+00000001+" + strings.Repeat("A", 44), "", "", "ledger"},
	{"clock affirm", "", "", "ledger"},
	{"identity add --actor new --role clerk --party wu", "party=/party", "exists /data/actor", "ledger"},
	{"identity rotate --actor clerk --party wu", "actor=/actor party=/party", "exists /data/publicKey", "ledger"},
	{"identity revoke --actor spare", "actor=/actor", "ended /data/actor", "ledger"},
	{"party register --party new --category external --of firm", "of=/of", "exists /data/party", "party/new"},
	{"party amend --party li", "party=/party", "", "party/li"},
	{"party retire --party li", "party=/party", "ended /data/party", "party/li"},
	{"party restore --party gone", "party=/party", "ended /data/party", "party/gone"},
	{"training complete --party wu --until 2027-01-01", "party=/party", "", "party/wu"},
	{"undertaking give --party courier --evidence nda-1", "party=/party evidence=/evidence", "", "party/courier"},
	{"client register --client new --contacts li --evidence ec-1", "contacts=/contacts/0 evidence=/evidence", "exists /data/client", "client/new"},
	{"client amend --client acme", "client=/client", "", "client/acme"},
	{"contact name --client acme --party lawyer --evidence ec-1", "client=/client party=/party evidence=/evidence", "exists /data/party", "client/acme"},
	{"contact drop --client acme --party li --evidence ec-1", "client=/client party=/party evidence=/evidence", "unknown /data/party", "client/acme"},
	{"evidence file --evidence new --client acme --kind other --record label", "client=/client record=/record", "exists /data/evidence", "client/acme"},
	{"evidence file --evidence new --party courier --kind other", "party=/party", "exists /data/evidence", "party/courier"},
	{"evidence void --evidence letter-1", "evidence=/evidence", "ended /data/evidence", "client/acme"},
	{"evidence void --evidence nda-1", "evidence=/evidence", "ended /data/evidence", "party/courier"},
	{"engagement confirm --client acme --engagement new --evidence ec-3 --purposes fees", "client=/client evidence=/evidence", "exists /data/engagement", "client/acme"},
	{"engagement close --client acme --engagement e1", "client=/client engagement=/engagement", "ended /data/engagement", "client/acme"},
	{"engagement reopen --client acme --engagement old", "client=/client engagement=/engagement", "ended /data/engagement", "client/acme"},
	{"record register --client acme --record new --engagement e1", "client=/client engagement=/engagement", "exists /data/record", "client/acme"},
	{"record amend --client acme --record label --title Label", "client=/client record=/record", "", "client/acme"},
	{"record lend --client acme --record original --holder lawyer", "client=/client record=/record holder=/holder", "refused II.0 lent", "client/acme"},
	{"record return --client acme --record out", "client=/client record=/record", "ended /data/record", "client/acme"},
	{"designation make --client acme --designation new --party lawyer --records label --evidence letter-2",
		"client=/client party=/party records=/scope/records/0 evidence=/evidence", "exists /data/designation", "client/acme"},
	{"designation change --client acme --designation d1 --engagements e1 --purposes fees --actions use --evidence letter-2",
		"client=/client designation=/designation engagements=/scope/engagements/0 evidence=/evidence", "", "client/acme"},
	{"designation revoke --client acme --designation d1 --evidence ec-1",
		"client=/client designation=/designation evidence=/evidence", "ended /data/designation", "client/acme"},
	{"delegation authorize --client acme --delegation new --designation d1 --delegate agent --evidence special-2",
		"client=/client designation=/designation delegate=/delegate evidence=/evidence", "exists /data/delegation", "client/acme"},
	{"delegation revoke --client acme --delegation g1", "client=/client delegation=/delegation", "ended /data/delegation", "client/acme"},
	{"consent give --client acme --consent new --party nmpa --records label --purposes fees --evidence consent-2",
		"client=/client party=/party records=/scope/records/0 evidence=/evidence", "exists /data/consent", "client/acme"},
	{"consent withdraw --client acme --consent c1 --evidence ec-1", "client=/client consent=/consent evidence=/evidence", "ended /data/consent", "client/acme"},
	{"authorization issue --client acme --authorization new --party nmpa --engagement e1 --records label --purposes fees --evidence ec-1",
		"client=/client party=/party engagement=/engagement records=/scope/records/0 evidence=/evidence", "exists /data/authorization", "client/acme"},
	{"authorization revoke --client acme --authorization a1", "client=/client authorization=/authorization", "ended /data/authorization", "client/acme"},
	{`terms agree --client acme --terms new --evidence special-terms-2 --rules '[{"effect":"forbid","parties":["agent"],"records":["label"]}]'`,
		`client=/client evidence=/evidence "agent"=/rules/0/parties/0 "label"=/rules/0/records/0`, "exists /data/terms", "client/acme"},
	{"terms end --client acme --terms t1 --evidence special-terms-2", "client=/client terms=/terms evidence=/evidence", "ended /data/terms", "client/acme"},
	{"approval give --client acme --approval new --party lawyer --record label --action transfer --purpose fees --recipient agent --evidence ec-1",
		"client=/client party=/party record=/record recipient=/recipient evidence=/evidence", "exists /data/approval", "client/acme"},
	{"approval withdraw --client acme --approval ok1", "client=/client approval=/approval", "ended /data/approval", "client/acme"},
	{"assignment notify --client acme --assignee buyer --channel letter --evidence ec-1", "client=/client assignee=/assignee evidence=/evidence", "", "client/acme"},
	{"access request --record label --party lawyer --purpose fees", "", "", "client/acme"},
	{"access request --client new --record label --party lawyer --purpose fees", "", "", "ledger"},
	{"record destroy --client acme --record label --operator courier --witness wu --evidence ec-1",
		"client=/client record=/record operator=/operator witness=/witness evidence=/evidence", "refused II.5 destroyed", "client/acme"},
	{"hold place --client acme --hold new --records label", "client=/client records=/records/0", "exists /data/hold", "client/acme"},
	{"hold lift --client acme --hold h1", "client=/client hold=/hold", "ended /data/hold", "client/acme"},
	{"erasure request --client small", "client=/client", "", "client/small"},
	{"erasure request --party gone", "party=/party", "", "party/gone"},
	{"erasure request --inquiry done", "inquiry=/inquiry", "", "ledger"},
	{"erasure approve --client small", "client=/client", "refused II.5 erased", "client/small"},
	{"erasure approve --party gone", "party=/party", "refused II.5 erased", "party/gone"},
	{"erasure approve --inquiry done", "inquiry=/inquiry", "refused II.5 erased", "ledger"},
	{"violation report --client acme --party lawyer --record label --evidence ec-1",
		"client=/client party=/party record=/record evidence=/evidence", "", "client/acme"},
	{"violation report --party lawyer", "party=/party", "", "party/lawyer"},
	{"violation report", "", "", "ledger"},
	{"violation investigate --violation #8 --evidence ec-1", "violation=/violation evidence=/evidence", "", "ledger"},
	{"violation close --violation #9 --finding mistake --evidence ec-1", "violation=/violation evidence=/evidence", "refused II.3 closed", "ledger"},
	{"review open --review new", "", "exists /data/review", "ledger"},
	{"review decide --review r1 --client acme --authorization a1 --verdict narrow --records label",
		"review=/review client=/client authorization=/authorization records=/scope/records/0", "", "client/acme"},
	{"review close --review r1", "review=/review", "ended /data/review", "ledger"},
	{"policy publish --edition 7 --effective 2026-04-01", "", "refused V.2 not-later", "ledger"},
	{"policy notify --edition 6 --client acme --evidence ec-1", "edition=/edition=5 client=/client evidence=/evidence", "", "client/acme"},
	{"inquiry receive --inquiry new --client acme", "client=/client", "exists /data/inquiry", "client/acme"},
	{"inquiry receive --inquiry new", "", "exists /data/inquiry", "ledger"},
	{"inquiry answer --inquiry q1 --attempt #9", "inquiry=/inquiry attempt=/attempt", "refused IV.4 answered", "client/acme"},
	{"inquiry answer --inquiry q2", "inquiry=/inquiry", "refused IV.4 answered", "ledger"},
}

// eachRow plays the agency and then each row's command on a ledger of its own, by the
// first of its roles.
func eachRow(t *testing.T, play func(t *testing.T, s *story, row *domain.Row, i int)) {
	done := map[string]bool{"ledger.open": true}
	for i, r := range rows {
		t.Run(r.words, func(t *testing.T) {
			s := &story{lawtest.Open(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))}
			for line := range strings.Lines(strings.TrimSpace(agency)) {
				s.given(t, strings.TrimSpace(line))
			}
			w := strings.Fields(r.words)
			row, ok := domain.Find(w[0] + "." + w[1])
			require.True(t, ok)
			for line := range strings.Lines(leadUp[row.Command]) {
				s.given(t, strings.TrimSpace(line))
			}
			done[row.Command] = true
			play(t, s, row, i)
		})
	}
	for _, r := range domain.Catalogue {
		assert.True(t, done[r.Command], "%s has no command here", r.Command)
	}
}

func by(row *domain.Row, words string) string { return "as " + string(row.Roles[0]) + "  " + words }

// TestEveryRowIsWhatItsEventSays: an accepted command is one event, of the row's
// type, about whom the contract says, with the very data of the command.
func TestEveryRowIsWhatItsEventSays(t *testing.T) {
	eachRow(t, func(t *testing.T, s *story, row *domain.Row, i int) {
		c := s.command(t, by(row, rows[i].words))
		before := s.Last()
		out, e := s.Send(c)
		require.Nil(t, out.Fault)
		require.Equal(t, before+1, e.Seq)
		assert.Contains(t, row.Events, e.Type)
		assert.Equal(t, rows[i].subject, e.Subject.String())
		assert.Same(t, c.Data, e.Data)
		assert.Equal(t, len(row.Events) == 2, e.Decision != nil)
	})
}

// TestOnlyTheRowsRolesMayIssueIt: whoever else does is forbidden, and that is
// recorded.
func TestOnlyTheRowsRolesMayIssueIt(t *testing.T) {
	eachRow(t, func(t *testing.T, s *story, row *domain.Row, i int) {
		for _, role := range domain.Roles {
			on := &story{s.Fork()}
			out, e := on.Send(on.command(t, "as "+string(role)+"  "+rows[i].words))
			require.NotNil(t, e)
			may := false
			for _, r := range row.Roles {
				may = may || r == role
			}
			if may {
				assert.Nil(t, out.Fault, "%s", role)
				continue
			}
			assert.Equal(t, domain.CommandRefused, e.Type, "%s", role)
			assert.Equal(t, &domain.Refusal{Code: domain.Forbidden}, e.Refusal)
			want := rows[i].subject
			if strings.HasSuffix(want, "/new") {
				want = "ledger" // nothing was registered
			}
			assert.Equal(t, want, e.Subject.String())
		}
	})
}

// TestWhatIsReferredToAndIsNotThereIsUnknown, at the field that names it, and adds
// nothing.
func TestWhatIsReferredToAndIsNotThereIsUnknown(t *testing.T) {
	eachRow(t, func(t *testing.T, s *story, row *domain.Row, i int) {
		for _, ref := range strings.Fields(rows[i].refers) {
			flag, pointer, _ := strings.Cut(ref, "=")
			pointer, none, _ := strings.Cut(pointer, "=")
			if none == "" {
				none = "none"
			}
			line := by(row, strings.Replace(rows[i].words, flag, `"`+none+`"`, 1))
			if !strings.HasPrefix(flag, `"`) {
				before, after, ok := strings.Cut(rows[i].words, " --"+flag+" ")
				require.True(t, ok, flag)
				_, rest, _ := strings.Cut(after, " ")
				line = by(row, before+" --"+flag+" "+none+" "+rest)
			}
			assert.Equal(t, "unknown /data"+pointer+"\n", s.refuse(t, line), line)
		}
	})
}

// TestTheSameAgainUnderAnotherId: what it makes is there, what it ends has ended;
// under its own id it is answered by its event (contract, section 2).
func TestTheSameAgainUnderAnotherId(t *testing.T) {
	eachRow(t, func(t *testing.T, s *story, row *domain.Row, i int) {
		c := s.command(t, by(row, rows[i].words))
		_, first := s.Send(c)
		c.Issued = s.Now.AddDate(1, 0, 0) // one that was answered is answered first, however old it says it is
		out, e := s.Send(c)
		require.Nil(t, e)
		require.Equal(t, domain.Outcome{Again: first.Seq}, out)
		if want := rows[i].again; want == "" {
			s.given(t, by(row, rows[i].words))
		} else {
			got, _, _ := strings.Cut(s.refuse(t, by(row, rows[i].words)), " #")
			assert.Equal(t, want, strings.TrimSpace(got))
		}
	})
}

// TestNothingIsDoneAboutAnErasedClient: II.5. Every row's command that is about a
// client, also by what it names, is refused once it is erased, whatever else would
// answer it; but for an access, which is decided, for its violations, and for an
// answered inquiry.
func TestNothingIsDoneAboutAnErasedClient(t *testing.T) {
	eachRow(t, func(t *testing.T, s *story, row *domain.Row, i int) {
		for line := range strings.Lines(strings.TrimSpace(windUp)) {
			s.given(t, strings.TrimSpace(line))
		}
		out, e := s.Send(s.command(t, by(row, rows[i].words)))
		switch {
		case row.Command == "inquiry.answer" && rows[i].subject == "client/acme":
			assert.Equal(t, "answered", out.Fault.Reason)
		case rows[i].subject == "client/acme" && row.Command != "access.request" && row.Command != "violation.report":
			require.NotNil(t, out.Fault)
			assert.Equal(t, &domain.Refusal{Code: domain.Refused, Clause: "II.5", Reason: "erased"}, e.Refusal)
			assert.Equal(t, "client/acme", e.Subject.String())
		case out.Fault != nil:
			assert.NotEqual(t, "erased", out.Fault.Reason, "it isn't about acme")
		case row.Command == "access.request":
			assert.Equal(t, "ledger", e.Subject.String())
		}
	})
}

// windUp ends what stands against the erasure of acme, and erases it.
const windUp = `
as clerk  record return --client acme --record out
as officer  hold lift --client acme --hold h1
as clerk  evidence file --evidence all-of-it --client acme --kind destruction-request
as officer  record destroy --client acme --record label --operator courier --witness wu --evidence all-of-it
as officer  record destroy --client acme --record original --operator courier --witness wu --evidence all-of-it
as officer  record destroy --client acme --record out --operator courier --witness wu --evidence all-of-it
as officer  engagement close --client acme --engagement e1
as officer  inquiry answer --inquiry q1
as officer  erasure request --client acme
as manager  erasure approve --client acme
`

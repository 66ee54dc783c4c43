package domain_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
	"github.com/qtccc/assent/domain/lawtest"
)

// rights is a client's ledger with n designations, of many parties or all of one,
// and a request that one of them covers.
func rights(t testing.TB, n int, ofOne bool) (*lawtest.Ledger, *domain.AccessRequest) {
	l := lawtest.Open(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	l.Settle()
	letter := &domain.EvidenceFile{Client: "acme", Kind: domain.ConfirmationLetter, MediaType: "application/pdf", Signed: true, Stamped: true,
		SignedOn: domain.Time{Time: l.Now}, Custody: domain.OnPaper, Place: lawtest.Text(3)}
	for i := range n {
		party, paper := domain.ID("firm"), *letter
		if !ofOne && i > 0 {
			party = domain.ID(fmt.Sprint("p", i))
			l.Must("clerk", &domain.PartyRegister{Party: party, Category: domain.External, Kind: domain.Person, Name: lawtest.Text(i)})
		}
		paper.Evidence, paper.SHA256 = domain.ID(fmt.Sprint("letter-", i)), lawtest.Digest(1000+i)
		l.Must("clerk", &paper)
		l.Must("clerk", &domain.DesignationMake{Client: "acme", Designation: domain.ID(fmt.Sprint("d", i)), Party: party,
			Scope: domain.Scope{All: true}, Evidence: paper.Evidence})
	}
	return l, &domain.AccessRequest{Client: "acme", Record: "ordinary", Party: "firm", Bearer: "lawyer", Action: domain.Consult, Purpose: "service"}
}

// BenchmarkDecision is one decision on a history, at few and many rights of the
// client: at most 2 µs where they are spread over its parties.
func BenchmarkDecision(b *testing.B) {
	for _, bench := range []struct {
		name   string
		n      int
		ofOne  bool
		denied bool
	}{
		{"granted/1", 1, false, false},
		{"granted/10000", 10_000, false, false},
		{"denied/1", 1, false, true},
		{"denied/10000", 10_000, false, true},
		{"of-one-party/granted/10000", 10_000, true, false},
		{"of-one-party/denied/10000", 10_000, true, true},
	} {
		b.Run(bench.name, func(b *testing.B) {
			l, r := rights(b, bench.n, bench.ofOne)
			if bench.denied {
				r.Action = domain.Use
			}
			v, id := l.View(), l.Next()
			require.Equal(b, bench.denied, !domain.DecideAccess(v, r, l.Now, id).Granted())
			b.ReportAllocs()
			for b.Loop() {
				domain.DecideAccess(v, r, l.Now, id)
			}
		})
	}
}

// BenchmarkStaffDecision is one of a trained person of the staff, with a confirmed
// modification: the longest way to a grant.
func BenchmarkStaffDecision(b *testing.B) {
	l := lawtest.Open(time.Date(2026, 3, 2, 0, 0, 0, 0, time.UTC))
	l.Settle()
	l.Must("officer", &domain.TrainingComplete{Party: "wu", Course: "basics", Until: domain.Time{Time: l.Now.AddDate(1, 0, 0)}})
	l.Must("officer", &domain.AuthorizationIssue{Client: "acme", Authorization: "a1", Party: "wu", Scope: domain.Scope{All: true},
		Purposes: domain.Purposes[:3], Actions: domain.Actions, Need: lawtest.Text(1)})
	r := &domain.AccessRequest{Client: "acme", Record: "ordinary", Party: "wu", Action: domain.Consult, Purpose: "consultation"}
	require.True(b, domain.DecideAccess(l.View(), r, l.Now, l.Next()).Granted())
	v, id := l.View(), l.Next()
	b.ReportAllocs()
	for b.Loop() {
		domain.DecideAccess(v, r, l.Now, id)
	}
}

// BenchmarkDecide is a whole access request: known, allowed, decided and applied.
func BenchmarkDecide(b *testing.B) {
	l, r := rights(b, 1, false)
	c := l.Command("gateway", r)
	v, id := l.View(), l.Next()
	b.ReportAllocs()
	for b.Loop() {
		out := domain.Decide(v, c, l.Now, id)
		domain.Apply(v, &domain.Event{Seq: l.Last() + 1, ID: id, Type: out.Type, Time: l.Now, Actor: c.Actor, Command: c.ID, Name: c.Name,
			Rules: domain.Rules, Data: c.Data, Decision: out.Decision})
	}
}

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/qtccc/assent/domain"
)

// decideTime is what one decision of the law costs, on facts in memory, for a client
// that has so many rights: the median of a few rounds.
func decideTime(rights int) (time.Duration, error) {
	h, seq := &domain.History{}, domain.Seq(0)
	at := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	const gateway = domain.PublicKey("UCR5U2A64RMG67ZAKZTHXWVM4UBDLOSJ4N2JAY3SAWOW6PG37HWM3A3W")
	text := domain.Text("sha256:" + strings.Repeat("0", 64))
	happened := func(t string, of domain.Subject, data domain.Data) {
		seq++
		h.Record(&domain.Event{Seq: seq, Type: t, Subject: of, Time: at, Data: data})
	}
	happened("ledger.opened", domain.Subject{}, &domain.LedgerOpen{Name: "bench",
		Policy: domain.LedgerPolicy{Edition: 6, ReviewEvery: domain.Period{Months: 6}}})
	happened("identity.added", domain.Subject{}, &domain.IdentityAdd{Actor: "gateway", Role: domain.Gateway, PublicKey: gateway})
	party := func(i int) domain.ID { return domain.ID(fmt.Sprint("x-", i)) }
	for i := range rights {
		happened("party.registered", domain.Subject{Party: party(i)},
			&domain.PartyRegister{Party: party(i), Category: domain.External, Kind: domain.Institution, Name: text})
	}
	acme := domain.Subject{Client: "acme"}
	happened("client.registered", acme, &domain.ClientRegister{Client: "acme", Name: text})
	happened("record.registered", acme, &domain.RecordRegister{Client: "acme", Record: "label", Title: text, Class: domain.Ordinary, Medium: domain.Electronic})
	for i := range rights {
		happened("designation.made", acme, &domain.DesignationMake{Client: "acme", Designation: domain.ID(fmt.Sprint("d-", i)),
			Party: party(i), Scope: domain.Scope{All: true}})
	}
	ids := make([]domain.UUID, 1000)
	for i := range ids {
		ids[i] = domain.UUID(uuid.NewString())
	}
	v := h.At(seq)
	cmd := &domain.Command{Actor: "gateway", Name: "access.request", Key: gateway, Issued: at,
		Data: &domain.AccessRequest{Client: "acme", Record: "label", Party: party(rights / 2), Action: domain.Consult, Purpose: "service"}}
	took := make([]time.Duration, 21)
	for i := range took {
		began := time.Now()
		for _, id := range ids {
			cmd.ID = id
			if out := domain.Decide(v, cmd, at, id); out.Decision == nil || !out.Decision.Granted() {
				return 0, fmt.Errorf("the bench's own access was not granted: %v", out.Fault)
			}
		}
		took[i] = time.Since(began) / time.Duration(len(ids))
	}
	slices.Sort(took)
	return took[len(took)/2], nil
}

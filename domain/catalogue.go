package domain

import "strings"

// Data is what a command says and its event keeps: one Go type a row of the
// contract's table. The set is sealed; the catalogue lists it.
//
//sumtype:decl
type Data interface {
	// about says whom the command is about, as far as the view knows it.
	about(View) Subject
	// decide looks at steps 5 to 7 of the contract's section 2. In which order faults
	// answer, Fault.step says; those of one step answer in the order in which they
	// are found, the row's.
	decide(*deciding)
	// apply says which facts the event changes.
	apply(*applying)
}

// checked is data of which the types alone don't hold all: fields that go together.
type checked interface{ check() *Fault }

// A Row is one row of the contract's table of commands.
type Row struct {
	// Command is the command's name, Events the types of what it records.
	Command string
	Events  []string
	// Roles may issue it. None: nobody, once the ledger is open.
	Roles []Role
	// New is the row's data, empty, to be read into.
	New func() Data
}

// Find is the row of a command's name.
func Find(command string) (*Row, bool) {
	i, ok := byCommand[command]
	if !ok {
		return nil, false
	}
	return &Catalogue[i], true
}

var byCommand = func() map[string]int {
	m := make(map[string]int, len(Catalogue))
	for i, r := range Catalogue {
		m[r.Command] = i
	}
	return m
}()

// Catalogue is the contract's table, in its order. What has no row here can't be
// said and can't be recorded.
var Catalogue = []Row{
	row[LedgerOpen]("ledger.open", "ledger.opened"),
	row[LedgerRekey]("ledger.rekey", "ledger.rekeyed", Admin),
	row[ClockAffirm]("clock.affirm", "clock.affirmed", Admin),
	row[IdentityAdd]("identity.add", "identity.added", Admin),
	row[IdentityRotate]("identity.rotate", "identity.rotated", Admin),
	row[IdentityRevoke]("identity.revoke", "identity.revoked", Admin),
	row[PartyRegister]("party.register", "party.registered", Clerk, Officer),
	row[PartyAmend]("party.amend", "party.amended", Officer),
	row[PartyRetire]("party.retire", "party.retired", Officer),
	row[PartyRestore]("party.restore", "party.restored", Officer),
	row[TrainingComplete]("training.complete", "training.completed", Officer, Manager),
	row[UndertakingGive]("undertaking.give", "undertaking.given", Officer),
	row[ClientRegister]("client.register", "client.registered", Clerk, Officer),
	row[ClientAmend]("client.amend", "client.amended", Officer),
	row[ContactName]("contact.name", "contact.named", Clerk, Officer),
	row[ContactDrop]("contact.drop", "contact.dropped", Clerk, Officer),
	row[EvidenceFile]("evidence.file", "evidence.filed", Clerk, Officer, Manager),
	row[EvidenceVoid]("evidence.void", "evidence.voided", Officer, Manager),
	row[EngagementConfirm]("engagement.confirm", "engagement.confirmed", Clerk, Officer),
	row[EngagementClose]("engagement.close", "engagement.closed", Officer),
	row[EngagementReopen]("engagement.reopen", "engagement.reopened", Officer),
	row[RecordRegister]("record.register", "record.registered", Clerk, Officer),
	row[RecordAmend]("record.amend", "record.amended", Clerk, Officer),
	row[RecordLend]("record.lend", "record.lent", Clerk, Officer),
	row[RecordReturn]("record.return", "record.returned", Clerk, Officer),
	row[DesignationMake]("designation.make", "designation.made", Clerk, Officer),
	row[DesignationChange]("designation.change", "designation.changed", Clerk, Officer),
	row[DesignationRevoke]("designation.revoke", "designation.revoked", Clerk, Officer),
	row[DelegationAuthorize]("delegation.authorize", "delegation.authorized", Officer),
	row[DelegationRevoke]("delegation.revoke", "delegation.revoked", Clerk, Officer),
	row[ConsentGive]("consent.give", "consent.given", Clerk, Officer),
	row[ConsentWithdraw]("consent.withdraw", "consent.withdrawn", Clerk, Officer),
	row[AuthorizationIssue]("authorization.issue", "authorization.issued", Officer, Manager),
	row[AuthorizationRevoke]("authorization.revoke", "authorization.revoked", Officer, Manager),
	row[TermsAgree]("terms.agree", "terms.agreed", Officer),
	row[TermsEnd]("terms.end", "terms.ended", Officer),
	row[ApprovalGive]("approval.give", "approval.given", Officer, Manager),
	row[ApprovalWithdraw]("approval.withdraw", "approval.withdrawn", Officer, Manager),
	row[AssignmentNotify]("assignment.notify", "assignment.notified", Officer),
	row[AccessRequest]("access.request", "access.granted access.denied", Gateway, Clerk, Officer),
	row[RecordDestroy]("record.destroy", "record.destroyed", Officer),
	row[HoldPlace]("hold.place", "hold.placed", Officer, Manager),
	row[HoldLift]("hold.lift", "hold.lifted", Officer, Manager),
	row[ErasureRequest]("erasure.request", "erasure.requested", Officer),
	row[ErasureApprove]("erasure.approve", "erasure.approved", Manager),
	row[ViolationReport]("violation.report", "violation.reported", Clerk, Officer, Manager),
	row[ViolationInvestigate]("violation.investigate", "violation.investigated", Officer, Manager),
	row[ViolationClose]("violation.close", "violation.closed", Officer, Manager),
	row[ReviewOpen]("review.open", "review.opened", Manager),
	row[ReviewDecide]("review.decide", "review.decided", Manager),
	row[ReviewClose]("review.close", "review.closed", Manager),
	row[PolicyPublish]("policy.publish", "policy.published", Manager),
	row[PolicyNotify]("policy.notify", "policy.notified", Clerk, Officer),
	row[InquiryReceive]("inquiry.receive", "inquiry.received", Clerk, Officer, Manager),
	row[InquiryAnswer]("inquiry.answer", "inquiry.answered", Officer, Manager),
}

// row makes a line of the catalogue; events are apart by a blank.
func row[D any, P interface {
	*D
	Data
}](command, events string, roles ...Role) Row {
	return Row{command, strings.Fields(events), roles, func() Data { return P(new(D)) }}
}

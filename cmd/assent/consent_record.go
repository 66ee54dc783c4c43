package main

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/qtccc/assent/domain"
)

// The schemas of ISO/IEC TS 27560:2023 and of what we make of it (docs/formats.md).
const (
	recordSchema  = "ISO-27560-consent-record"
	receiptSchema = "ISO-27560-consent-receipt"
	recordProfile = "https://github.com/qtccc/assent/schema/27560/1"

	// notRecorded stands where the specification wants what the ledger doesn't know.
	notRecorded = "not recorded"
)

// A consentRecord is a consent, a designation or a delegation as ISO/IEC TS
// 27560:2023 has it. What the specification has no member for is below `assent`.
type consentRecord struct {
	SchemaVersion       string          `json:"schema_version"`
	RecordID            string          `json:"record_id"`
	PIIPrincipalID      string          `json:"pii_principal_id"`
	PIIProcessing       piiProcessing   `json:"pii_processing"`
	PartyIdentification []piiParty      `json:"party_identification"`
	Events              []consentEvent  `json:"events"`
	Assent              recordRest      `json:"assent"`
	Receipt             *consentReceipt `json:"receipt,omitempty"`
}

type recordRest struct {
	Profile  string        `json:"profile"`
	Right    string        `json:"right"` // as decisions name it
	State    string        `json:"state"` // the event_state of the last event
	Evidence []recordPaper `json:"evidence"`
	AsOf     asOf          `json:"asOf"`
}

// A consentReceipt tells the client of its record. Handed out by itself it holds the
// whole record.
type consentReceipt struct {
	SchemaVersion string         `json:"schema_version"`
	ReceiptID     string         `json:"receipt_id"`
	RecordID      string         `json:"record_id"`
	Assent        receiptRest    `json:"assent"`
	Record        *consentRecord `json:"record,omitempty"`
}

type receiptRest struct {
	Profile string `json:"profile"`
	AsOf    asOf   `json:"asOf"`
}

// An asOf is the event up to which the record knows what happened.
type asOf struct {
	Ledger   domain.UUID `json:"ledger"`
	Sequence uint64      `json:"sequence"`
	Time     string      `json:"time"`
}

type piiProcessing struct {
	PrivacyNotice []privacyNotice `json:"privacy_notice"`
	Language      string          `json:"language"`
	Purposes      []piiPurpose    `json:"purposes"`
}

// A privacyNotice is the edition of the Confidentiality Statement that was in force
// when something was recorded.
type privacyNotice struct {
	Title     string      `json:"title"`
	Edition   json.Number `json:"edition,omitempty"` // none was in force
	Effective string      `json:"effective,omitempty"`
	SHA256    string      `json:"sha256,omitempty"`
}

type piiPurpose struct {
	Purpose               string           `json:"purpose"`
	PurposeType           string           `json:"purpose_type"`
	LawfulBasis           string           `json:"lawful_basis"`
	PIIInformation        []piiInformation `json:"pii_information"`
	PIIControllers        []string         `json:"pii_controllers"`
	CollectionMethod      string           `json:"collection_method"`
	ProcessingMethod      []string         `json:"processing_method"`
	StorageLocations      []string         `json:"storage_locations"`
	RetentionPeriod       []string         `json:"retention_period"`
	Jurisdiction          string           `json:"jurisdiction"`
	RecipientThirdParties []string         `json:"recipient_third_parties"`
	WithdrawalMethod      string           `json:"withdrawal_method"`
	CodesOfConduct        string           `json:"codes_of_conduct"`
}

type piiInformation struct {
	PIIType              string `json:"pii_type"`
	PIIAttributeID       string `json:"pii_attribute_id,omitempty"`
	SensitivePIICategory bool   `json:"sensitive_pii_category"`
	// Assent says of a sensitive record that the scope doesn't cover it (II.4).
	Assent *informationRest `json:"assent,omitempty"`
}

type informationRest struct {
	Covered bool `json:"covered"`
}

type piiParty struct {
	PartyID      string `json:"party_id"`
	PartyName    string `json:"party_name"`
	PartyAddress string `json:"party_address,omitempty"`
	PartyContact string `json:"party_contact,omitempty"`
	PartyRole    string `json:"party_role"`
	PartyType    string `json:"party_type"`
}

type consentEvent struct {
	EventTime        string `json:"event_time"`
	ValidityDuration string `json:"validity_duration"`
	EntityID         string `json:"entity_id"`
	EventType        string `json:"event_type"`
	EventState       string `json:"event_state"`
	// Assent is the ledger's event; none: time did it.
	Assent *eventRest `json:"assent,omitempty"`
}

type eventRest struct {
	Sequence   json.Number `json:"sequence"`
	ID         string      `json:"id"`
	Type       string      `json:"type"`
	RecordedBy string      `json:"recordedBy"`
	Evidence   string      `json:"evidence,omitempty"`
}

// A recordPaper is a written instrument that the record rests or rested on.
type recordPaper struct {
	Evidence string      `json:"evidence"`
	Kind     string      `json:"kind"`
	SHA256   string      `json:"sha256"`
	Signed   bool        `json:"signed"`
	Stamped  bool        `json:"stamped"`
	SignedOn string      `json:"signedOn,omitempty"`
	SignedBy string      `json:"signedBy,omitempty"`
	FiledBy  string      `json:"filedBy"`
	Filed    string      `json:"filed"`
	Sequence json.Number `json:"sequence"`
	Void     bool        `json:"void"`
}

// A recordSource is what the ledger answered about one right, all as of one event.
type recordSource struct {
	as          asOf
	controller  string // the ledger's name
	trace       item   // of `trace`, without its accesses
	says        item   // the right, with the scope, purposes and actions that it has, or had when it ended
	designation item   // that a delegation is from, as `rights` has it; nil where it was changed since
	clientName  string
	parties     map[string]item // by id: as registered, and named as last amended
	records     map[string]item // that the scope names, as `records` has them
	events      []item          // of `trail`, ascending: what made, changed and ended it
	notices     []privacyNotice // what was in force when the client spoke
}

func (s *recordSource) right() item {
	r, _ := s.trace["right"].(map[string]any)
	return r
}

// ref is the right as decisions name it.
func (s *recordSource) ref() string { return text(s.right()["right"]) + "/" + text(s.right()["id"]) }

// id is the UUID of a document about the right: the same question has the same one.
func (s *recordSource) id(of ...string) string {
	name := strings.Join(append(of, text(s.right()["client"]), s.ref()), "\n")
	return uuid.NewSHA1(uuid.MustParse(string(s.as.Ledger)), []byte(name)).String()
}

// record makes the consent record.
func (s *recordSource) record() *consentRecord {
	r := s.right()
	rec := &consentRecord{SchemaVersion: recordSchema, RecordID: s.id("consent record"), PIIPrincipalID: text(r["client"]),
		PartyIdentification: s.partyIdentification(), Events: s.consentEvents(),
		Assent: recordRest{Profile: recordProfile, Right: s.ref(), Evidence: s.papers(), AsOf: s.as}}
	rec.PIIProcessing = piiProcessing{PrivacyNotice: s.notices, Language: "zh"}
	for _, p := range list(s.says["purposes"]) {
		rec.PIIProcessing.Purposes = append(rec.PIIProcessing.Purposes, s.purpose(domain.Purpose(text(p))))
	}
	rec.Assent.State = rec.Events[len(rec.Events)-1].EventState
	return rec
}

// receipt is the receipt of a record, without the record.
func (s *recordSource) receipt(rec *consentRecord) *consentReceipt {
	return &consentReceipt{SchemaVersion: receiptSchema, ReceiptID: s.id("consent receipt", text(s.as.Sequence)), RecordID: rec.RecordID,
		Assent: receiptRest{recordProfile, s.as}}
}

func numberOf(v any) json.Number {
	n, _ := v.(json.Number)
	return n
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// processing is what an action is called in the Data Privacy Vocabulary.
var processing = map[string]string{
	string(domain.Consult): "dpv:Consult", string(domain.Use): "dpv:Use",
	string(domain.Transfer): "dpv:Transfer", string(domain.Modify): "dpv:Modify",
}

func (s *recordSource) purpose(p domain.Purpose) piiPurpose {
	r := s.right()
	out := piiPurpose{Purpose: string(p), PurposeType: clauseOfPurpose(p), LawfulBasis: explicit,
		PIIControllers: []string{s.controller}, Jurisdiction: notRecorded,
		CollectionMethod:      "given by the client or made for it, as the statement says in I.1",
		RecipientThirdParties: []string{text(r["party"])}, WithdrawalMethod: withdrawal[text(r["right"])],
		CodesOfConduct: "Confidentiality Statement, see privacy_notice"}
	for _, action := range list(s.says["actions"]) {
		out.ProcessingMethod = append(out.ProcessingMethod, cmp.Or(processing[text(action)], text(action)))
	}
	scope, _ := s.says["scope"].(map[string]any)
	sensitive := scope["sensitive"] == true
	whole := func(what, id string) {
		out.PIIInformation = append(out.PIIInformation, piiInformation{what, id, sensitive, nil})
		out.StorageLocations, out.RetentionPeriod = []string{asRegistered}, []string{asRegistered}
	}
	switch {
	case scope["all"] == true:
		whole("all records of the client", "")
	case scope["engagements"] != nil:
		for _, id := range list(scope["engagements"]) {
			whole("the records of an engagement", "engagement/"+text(id))
		}
	}
	for _, id := range list(scope["records"]) {
		name := text(id)
		rec := s.records[name]
		secret := text(rec["class"]) == string(domain.Sensitive)
		info := piiInformation{text(rec["title"]), "record/" + name, secret, nil}
		if secret && !sensitive {
			info.Assent = &informationRest{Covered: false}
		}
		out.PIIInformation = append(out.PIIInformation, info)
		place := name + ": " + text(rec["medium"])
		if rec["custody"] != nil {
			place += ", " + text(rec["custody"])
		}
		keep, _ := rec["retention"].(map[string]any)
		out.StorageLocations = append(out.StorageLocations, place)
		out.RetentionPeriod = append(out.RetentionPeriod, name+": "+text(keep["keep"])+" after "+text(keep["after"]))
	}
	return out
}

const asRegistered = "as registered for each record"

// withdrawal is how the client takes back what it said in writing.
var withdrawal = map[string]string{
	string(domain.Consented):  "by telling the confidentiality officer (IV.4); recorded as consent.withdrawn, from which on nothing is granted by it",
	string(domain.Designated): "by telling the confidentiality officer (IV.4); recorded as designation.revoked, from which on nothing is granted by it",
	string(domain.Delegated):  "by telling the confidentiality officer (IV.4); recorded as delegation.revoked, from which on nothing is granted by it",
}

// clauseOfPurpose is the statement's: I.3.1 … I.3.10.
func clauseOfPurpose(p domain.Purpose) string {
	if i := slices.Index(domain.Purposes, p); i >= 0 {
		return "I.3." + text(i+1)
	}
	return "I.3"
}

func (s *recordSource) partyIdentification() []piiParty {
	r := s.right()
	all := []piiParty{
		{s.controller, s.controller, notRecorded, notRecorded, "dpv:DataController", "PII controller"},
		{text(r["client"]), s.clientName, "", "", "dpv:DataSubject", "PII principal"},
		s.third(text(r["party"]), "dpv:ThirdParty"),
	}
	if r["behalfOf"] != nil {
		all = append(all, s.third(text(r["behalfOf"]), "dpv:ThirdParty"))
	}
	return all
}

func (s *recordSource) third(id, role string) piiParty {
	p := s.parties[id]
	return piiParty{id, text(p["name"]), notRecorded, notRecorded, role, strings.TrimSpace(text(p["category"]) + " " + text(p["kind"]))}
}

func (s *recordSource) papers() (all []recordPaper) {
	papers := append([]any{s.trace["instrument"], s.trace["from"]}, list(s.trace["others"])...)
	for _, v := range papers {
		if p, ok := v.(map[string]any); ok {
			all = append(all, recordPaper{Evidence: text(p["evidence"]), Kind: text(p["kind"]), SHA256: text(p["sha256"]), Signed: p["signed"] == true,
				Stamped: p["stamped"] == true, SignedOn: text(p["signedOn"]), SignedBy: text(p["signedBy"]), FiledBy: text(p["filedBy"]),
				Filed: text(p["filed"]), Sequence: numberOf(p["seq"]), Void: p["void"] == true})
		}
	}
	return all
}

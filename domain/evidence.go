package domain

// EvidenceFile registers a written instrument by its digest (II.1: a consent must
// be traceable). Its content lies in the ledger's store, or stays on paper.
type EvidenceFile struct {
	Evidence  ID           `json:"evidence"`
	Client    ID           `json:"client,omitzero"`
	Party     ID           `json:"party,omitzero"`
	Kind      EvidenceKind `json:"kind"`
	Record    ID           `json:"record,omitzero"`
	SHA256    Digest       `json:"sha256"`
	Size      int64        `json:"size"`
	MediaType MediaType    `json:"mediaType"`
	Signed    bool         `json:"signed"`
	Stamped   bool         `json:"stamped"`
	SignedOn  Time         `json:"signedOn,omitzero"`
	SignedBy  Text         `json:"signedBy,omitzero"`
	Custody   Custody      `json:"custody"`
	Place     Text         `json:"place,omitzero"`
}

// mostSize is the largest integer that every JSON reader has exactly.
const mostSize = 1<<53 - 1

func (c *EvidenceFile) check() *Fault {
	switch {
	case c.Client == "" && c.Party == "":
		return invalid("/client", "evidence is filed for a client or for a party; name one of them")
	case c.Client != "" && c.Party != "":
		return invalid("/party", "evidence is filed for a client or for a party, not for both")
	case c.Record != "" && c.Client == "":
		return invalid("/record", "only evidence of a client is about a record")
	case c.Size < 0 || c.Size > mostSize:
		return invalid("/size", "a size is a number of bytes")
	case c.Signed && c.SignedOn.IsZero():
		return invalid("/signedOn", "what is signed was signed on a day; say on which")
	case c.Custody == OnPaper && c.Place == "":
		return invalid("/place", "say where the paper lies")
	}
	return nil
}

func (c *EvidenceFile) about(View) Subject { return Subject{Client: c.Client, Party: c.Party} }

func (c *EvidenceFile) decide(d *deciding) {
	if c.Client != "" {
		d.client(c.Client)
	} else {
		d.party("/party", c.Party)
	}
	if c.Record != "" {
		d.record("/record", c.Client, c.Record)
	}
	if e, _ := evidence(d, c.Evidence); e != nil {
		d.blame(Exists, "/evidence", "there is evidence %s already", c.Evidence)
	}
	if p, _ := get[Paper](d, paperKey(owner(c.Client, c.Party), c.Kind, c.SHA256)); p != nil && !void(d, p.Evidence) {
		d.blame(Exists, "/sha256", "this %s is filed already, as %s", c.Kind, p.Evidence)
	}
	if c.SignedOn.After(d.at) {
		d.refuse("II.1", "evidence-unfit", "%s says that it was signed on a day that has not come", c.Evidence)
	}
	if c.Custody == InLedger && (d.cmd.Content == nil || !*d.cmd.Content) {
		d.refuse("II.1", "evidence-unfit", "the content of %s is not in the ledger's store, or is other than its digest says; put it there first, or file it as paper", c.Evidence)
	}
}

func (c *EvidenceFile) apply(a *applying) {
	a.set(evidenceKey(c.Evidence), &Evidence{Client: c.Client, Party: c.Party, Kind: c.Kind, Record: c.Record,
		SHA256: c.SHA256, Size: c.Size, MediaType: c.MediaType, Signed: c.Signed, Stamped: c.Stamped,
		SignedOn: c.SignedOn.Time, SignedBy: c.SignedBy, Custody: c.Custody, Place: c.Place, FiledBy: a.e.Actor})
	whose := owner(c.Client, c.Party)
	a.set(Key{Kind: KindFiled, A: whose, C: string(c.Evidence)}, &Filed{})
	a.set(paperKey(whose, c.Kind, c.SHA256), &Paper{Evidence: c.Evidence})
}

// EvidenceVoid takes an instrument out of force, and with it every right that rests
// on it; terms stay, since restrictions fail closed.
type EvidenceVoid struct {
	Evidence ID   `json:"evidence"`
	Reason   Text `json:"reason"`
}

func (c *EvidenceVoid) about(v View) Subject {
	e, _ := evidence(v, c.Evidence)
	if e == nil {
		return Subject{}
	}
	return Subject{Client: e.Client, Party: e.Party}
}

func (c *EvidenceVoid) decide(d *deciding) {
	e := d.evidence("/evidence", c.Evidence)
	switch {
	case e == nil:
		return
	case e.Client != "":
		d.client(e.Client)
	default:
		d.party("/party", e.Party)
	}
	if e.Voided != 0 {
		d.blame(Ended, "/evidence", "%s is void already", c.Evidence)
	}
}

func (c *EvidenceVoid) apply(a *applying) {
	e, _ := evidence(a, c.Evidence)
	if e == nil {
		return
	}
	change(a, evidenceKey(c.Evidence), func(e *Evidence) { e.Voided = a.e.Seq })
	if by, _ := get[Designating](a, designatingKey(e.Client, c.Evidence)); by != nil {
		change(a, designatedKey(e.Client), func(d *DesignatedBy) { d.Papers-- })
	}
}

// fits says whether the evidence is of that kind, filed for the client or, without
// one, the party, signed, and not void.
func (e *Evidence) fits(kind EvidenceKind, of Subject) bool {
	return e.Kind == kind && e.Client == of.Client && e.Party == of.Party && e.Signed && e.Voided == 0
}

// fit refuses evidence that doesn't fit, or isn't stamped where it must be; it says
// what is wrong and what to do.
func (d *deciding) fit(clause Clause, id ID, e *Evidence, kind EvidenceKind, of Subject, stamped bool) {
	if e.fits(kind, of) && (e.Stamped || !stamped) {
		return
	}
	want, wrong := "signed", "is signed but not stamped"
	if stamped {
		want = "signed and stamped"
	}
	switch {
	case e.Kind != kind:
		wrong = "is of kind " + string(e.Kind)
	case e.Client != of.Client || e.Party != of.Party:
		wrong = "was filed for " + owner(e.Client, e.Party)
	case !e.Signed:
		wrong = "is not signed"
	case e.Voided != 0:
		wrong = "is void"
	}
	d.refuse(clause, "evidence-unfit", "%s %s; this needs a %s %s of %s: file it and name it with --evidence", id, wrong, want, kind, of)
}

// void says whether the evidence that something rests on is void. What rests on
// none is not.
func void(v View, id ID) bool { return voided(v, id) != 0 }

// voided is the event that voided the evidence, if one did.
func voided(v View, id ID) Seq {
	if id == "" {
		return 0
	}
	e, _ := evidence(v, id)
	if e == nil {
		return 0
	}
	return e.Voided
}

// owner is whom evidence was filed for, as a subject is written.
func owner(client, party ID) string { return Subject{client, party}.String() }

func paper(kind EvidenceKind, sha Digest) string { return string(kind) + "/" + string(sha) }

func paperKey(owner string, kind EvidenceKind, sha Digest) Key {
	return Key{Kind: KindPaper, A: owner, C: paper(kind, sha)}
}

func evidenceKey(id ID) Key { return Key{Kind: KindEvidence, C: string(id)} }

func evidence(v View, id ID) (*Evidence, Known) { return get[Evidence](v, evidenceKey(id)) }

// evidence is what the command names at the pointer.
func (d *deciding) evidence(at string, id ID) *Evidence {
	e, _ := evidence(d, id)
	if e == nil {
		d.blame(Unknown, at, "there is no evidence %s; file it first", id)
	}
	return e
}

// reference is evidence that need only be there, where it is named at all.
func (d *deciding) reference(at string, id ID) {
	if id != "" {
		d.evidence(at, id)
	}
}

// spentKey is that of a paper, by its content, that was used up.
func spentKey(of ID, kind EvidenceKind, sha Digest) Key {
	return Key{Kind: KindSpent, A: string(of), C: paper(kind, sha)}
}

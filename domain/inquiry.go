package domain

// InquiryReceive records a request to consult, or about policy or practice, and
// whom it goes to (IV.4).
type InquiryReceive struct {
	Inquiry ID          `json:"inquiry"`
	Client  ID          `json:"client,omitzero"`
	From    Text        `json:"from"`
	Kind    InquiryKind `json:"kind"`
	To      Addressee   `json:"to"`
	Text    Text        `json:"text"`
}

func (c *InquiryReceive) about(View) Subject { return Subject{Client: c.Client} }

func (c *InquiryReceive) decide(d *deciding) {
	if c.Client != "" {
		d.client(c.Client)
	}
	if q, _ := inquiry(d, c.Inquiry); q != nil {
		d.blame(Exists, "/inquiry", "there is an inquiry %s already", c.Inquiry)
	}
}

func (c *InquiryReceive) apply(a *applying) {
	a.set(inquiryKey(c.Inquiry), &Inquiry{Client: c.Client, Kind: c.Kind, To: c.To, From: c.From, Text: c.Text})
	if c.Client != "" {
		a.set(Key{Kind: KindInquiryOf, A: string(c.Client), C: string(c.Inquiry)}, &InquiryOf{})
	}
}

// InquiryAnswer records what was answered; where the answer was an access, which.
type InquiryAnswer struct {
	Inquiry ID   `json:"inquiry"`
	Text    Text `json:"text"`
	Attempt UUID `json:"attempt,omitzero"`
}

func (c *InquiryAnswer) about(v View) Subject { return subjectOfInquiry(v, c.Inquiry) }

func (c *InquiryAnswer) decide(d *deciding) {
	q := d.inquiry(c.Inquiry)
	if c.Attempt != "" && d.cmd.NoAttempt {
		d.blame(Unknown, "/attempt", "there is no access %s", c.Attempt)
	}
	if q != nil && q.Answered != 0 {
		d.refuse("IV.4", "answered", "the inquiry %s was answered already", c.Inquiry)
	}
}

func (c *InquiryAnswer) apply(a *applying) {
	change(a, inquiryKey(c.Inquiry), func(q *Inquiry) { q.Answered, q.Answer, q.Attempt = a.e.Seq, c.Text, c.Attempt })
}

func subjectOfInquiry(v View, id ID) Subject {
	q, _ := inquiry(v, id)
	if q == nil {
		return Subject{}
	}
	return Subject{Client: q.Client}
}

// openInquiry is one of the client's that wasn't answered; empty where none is.
func openInquiry(v View, of ID) ID {
	for k := range v.List(KindInquiryOf, string(of), "") {
		if q, _ := inquiry(v, ID(k.C)); q.Answered == 0 {
			return ID(k.C)
		}
	}
	return ""
}

func inquiryKey(id ID) Key { return Key{Kind: KindInquiry, C: string(id)} }

func inquiry(v View, id ID) (*Inquiry, Known) { return get[Inquiry](v, inquiryKey(id)) }

// inquiry is the one that the command names.
func (d *deciding) inquiry(id ID) *Inquiry {
	q, _ := inquiry(d, id)
	if q == nil {
		d.blame(Unknown, "/inquiry", "there is no inquiry %s", id)
	}
	return q
}

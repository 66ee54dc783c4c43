package main

// A scene is a part of the story, and what the statement has it show.
type scene struct {
	title   string
	clauses string
	tells   string
	steps   []step
}

// A step is one command line, and what the ledger has to answer.
type step struct {
	as    string // the identity that issues it
	tells string // what a person would say of it
	line  string // the command's words and flags; see demo.filled
	// clause is what the command rests on. Where the answer gives clauses itself,
	// those are shown instead, whatever stands here.
	clause string
	// want is the answer: "consent.given", "granted II.1 consented",
	// "refused III.3 evidence-unfit". Any other one ends the demo.
	want string
	// explain marks the one access whose decision is derived anew at the end.
	explain bool
}

// filing is a step that files a paper of the client's.
func filing(evidence, kind, more, tells, clause string) step {
	return step{as: "clerk", tells: tells, clause: clause, want: "evidence.filed",
		line: "evidence file --client acme --evidence " + evidence + " --kind " + kind + " " + more +
			" --signedOn YESTERDAY --sha256 DIGEST --size 48213 --mediaType application/pdf" +
			" --custody paper --place 'registry, folder acme'"}
}

// asking is a step in which somebody asks to come near a record.
func asking(record, party, purpose, more, tells, want string) step {
	return step{as: "gateway", tells: tells, want: want,
		line: "access request --client acme --record " + record + " --party " + party + " --action consult --purpose " + purpose + more}
}

// story is an agency's first client, from the first question to the first
// destruction.
var story = []scene{{
	title: "Before anything is signed", clauses: "I.1, IV.2",
	tells: "Acme Cosmetics asks what it takes to register a night cream, and leaves a brochure. Until it has said " +
		"in writing who may consult its data, nobody but its contact may.",
	steps: []step{
		{as: "clerk", tells: "registers Li Wei of Acme", clause: "IV.2", want: "party.registered",
			line: "party register --party li-wei --category external --kind person --name 'Li Wei'"},
		{as: "clerk", tells: "registers Harbour Law, Acme's lawyers", clause: "IV.2", want: "party.registered",
			line: "party register --party harbour --category external --kind institution --name 'Harbour Law'"},
		{as: "clerk", tells: "registers Acme, Li Wei its contact", clause: "I.1", want: "client.registered",
			line: "client register --client acme --name 'Acme Cosmetics Ltd' --contacts li-wei"},
		{as: "clerk", tells: "registers the brochure, kept under lock", clause: "II.0", want: "record.registered",
			line: "record register --client acme --record brochure --title 'Product brochure' --class ordinary" +
				" --medium physical --custody 'archive room, cabinet 3' --after registration --keep P2Y"},
		asking("brochure", "li-wei", "consultation", "", "Li Wei looks at the brochure", "granted IV.2 contact"),
		asking("brochure", "harbour", "consultation", "", "Harbour Law wants to look at it too", "denied IV.2 not-contact"),
	},
}, {
	title: "The Engagement Confirmation", clauses: "III.3, IV.1, II.4",
	tells: "Acme signs, and names Harbour Law as the one who may consult what belongs to this engagement. From now on " +
		"it is the written word that counts: even the contact needs it.",
	steps: []step{
		filing("ec-1", "engagement-confirmation", "--signed", "files the signed Engagement Confirmation", "IV.1"),
		{as: "clerk", tells: "confirms it, Harbour Law its designee", clause: "III.3", want: "engagement.confirmed",
			line: "engagement confirm --client acme --engagement cream --evidence ec-1 --purposes service,registration" +
				` --designees '[{"designation":"d-law","party":"harbour","scope":{"engagements":["cream"]}}]'`},
		{as: "clerk", tells: "registers the label", clause: "II.0", want: "record.registered",
			line: "record register --client acme --record label --engagement cream --title 'Label artwork'" +
				" --class ordinary --medium electronic --after engagement --keep P5Y"},
		{as: "clerk", tells: "registers the formula, sensitive, in clear", want: "refused II.4 unencrypted",
			line: "record register --client acme --record formula --engagement cream --title 'Formula of the night cream'" +
				" --class sensitive --medium electronic --after engagement --keep P5Y"},
		{as: "clerk", tells: "registers the formula, encrypted", clause: "II.4", want: "record.registered",
			line: "record register --client acme --record formula --engagement cream --title 'Formula of the night cream'" +
				" --class sensitive --medium electronic --encrypted --after engagement --keep P5Y"},
		asking("label", "harbour", "registration", "", "Harbour Law looks at the label", "granted III.3 designated"),
		asking("formula", "harbour", "registration", "", "Harbour Law looks at the formula", "denied II.4 sensitive-not-covered"),
		asking("brochure", "li-wei", "consultation", "", "Li Wei looks at the brochure again", "denied IV.1 not-designated"),
	},
}, {
	title: "A change of designees", clauses: "III.3",
	tells: "Acme wants Li Wei to see everything. Such a change takes a letter that is signed and stamped.",
	steps: []step{
		filing("letter-1", "confirmation-letter", "--signed", "files a letter, signed but not stamped", "III.3"),
		{as: "clerk", tells: "designates Li Wei by it", want: "refused III.3 evidence-unfit",
			line: "designation make --client acme --designation d-li --party li-wei --all --sensitive --evidence letter-1"},
		filing("letter-2", "confirmation-letter", "--signed --stamped", "files the letter once more, now stamped", "III.3"),
		{as: "clerk", tells: "designates Li Wei by that one", clause: "III.3", want: "designation.made",
			line: "designation make --client acme --designation d-li --party li-wei --all --sensitive --evidence letter-2"},
		asking("formula", "li-wei", "registration", "", "Li Wei looks at the formula", "granted III.3 designated"),
	},
}, {
	title: "A designee sends an agent", clauses: "III.5",
	tells: "Harbour Law sends Zhao Lei in its place. A designee can't do that by itself: the client has to say so, in a " +
		"special authorisation of its own.",
	steps: []step{
		{as: "clerk", tells: "registers Zhao Lei", clause: "III.5", want: "party.registered",
			line: "party register --party zhao --category external --kind person --name 'Zhao Lei'"},
		asking("label", "zhao", "registration", " --behalfOf harbour", "Zhao looks at the label for Harbour Law", "denied III.5 not-delegated"),
		filing("special-1", "special-authorization", "--signed --stamped", "files Acme's special authorisation", "III.5"),
		{as: "officer", tells: "lets Zhao act for Harbour Law", clause: "III.5", want: "delegation.authorized",
			line: "delegation authorize --client acme --delegation g-zhao --designation d-law --delegate zhao --evidence special-1"},
		asking("label", "zhao", "registration", " --behalfOf harbour", "Zhao looks at the label again", "granted III.5 delegated"),
	},
}, {
	title: "A consent, given and withdrawn", clauses: "II.1",
	tells: "A distributor may see the label, as long as Acme consents: in writing, so that the consent can be traced.",
	steps: []step{
		{as: "clerk", tells: "registers Borealis Trading", clause: "II.1", want: "party.registered",
			line: "party register --party borealis --category external --kind institution --name 'Borealis Trading'"},
		filing("consent-1", "consent", "--signed --stamped", "files Acme's consent", "II.1"),
		{as: "clerk", tells: "records it: the label, to Borealis", clause: "II.1", want: "consent.given",
			line: "consent give --client acme --consent c-borealis --party borealis --records label --purposes relationship --evidence consent-1"},
		asking("label", "borealis", "relationship", "", "Borealis looks at the label", "granted II.1 consented"),
		{as: "clerk", tells: "records that Acme withdrew it", clause: "II.1", want: "consent.withdrawn",
			line: "consent withdraw --client acme --consent c-borealis --reason 'another distributor was chosen'"},
		asking("label", "borealis", "relationship", "", "Borealis looks once more", "denied II.1 consent-ended, IV.1 not-designated"),
	},
}, {
	title: "The agency's own staff", clauses: "II.2, P.2, III.1",
	tells: "Working here is no reason to look. Whoever handles data is trained, and is authorised because of a need to " +
		"know, for one purpose. Any attempt without it is a violation to be investigated (II.3).",
	steps: []step{
		{as: "clerk", tells: "registers Wu Min, who prepares filings", clause: "III.1", want: "party.registered",
			line: "party register --party wu --category staff --kind person --name 'Wu Min'"},
		{as: "clerk", tells: "registers Chen Jie, of accounts", clause: "III.1", want: "party.registered",
			line: "party register --party chen --category staff --kind person --name 'Chen Jie'"},
		asking("label", "wu", "registration", "", "Wu Min opens the label", "denied P.2 untrained, II.2 no-authorization"),
		{as: "officer", tells: "records Wu Min's training", clause: "P.2", want: "training.completed",
			line: "training complete --party wu --course confidentiality --until NEXTYEAR"},
		{as: "officer", tells: "authorises Wu Min, but says no need", want: "refused II.2 no-need",
			line: "authorization issue --client acme --authorization a-wu --party wu --engagement cream" +
				" --engagements cream --purposes registration --need ' '"},
		{as: "officer", tells: "authorises Wu Min, and says why", clause: "II.2", want: "authorization.issued",
			line: "authorization issue --client acme --authorization a-wu --party wu --engagement cream" +
				" --engagements cream --purposes registration --need 'prepares the filing'"},
		asking("label", "wu", "registration", "", "Wu Min opens the label", "granted II.2 authorized, III.1 staff"),
		{as: "manager", tells: "records Chen Jie's training", clause: "P.2", want: "training.completed",
			line: "training complete --party chen --course confidentiality --until NEXTYEAR"},
		withExplanation(asking("formula", "chen", "fees", "", "Chen Jie has a look at the formula", "denied II.2 no-authorization")),
	},
}, {
	title: "A destruction", clauses: "II.5",
	tells: "The brochure is to go. Retention still runs, so it takes the client's request; and it takes two, one to " +
		"destroy it and one to see it.",
	steps: []step{
		{as: "officer", tells: "has the brochure shredded", want: "refused II.5 retention-runs",
			line: "record destroy --client acme --record brochure --method shred --operator chen --witness wu"},
		filing("request-1", "destruction-request", "--record brochure --signed", "files Acme's request", "II.5"),
		{as: "officer", tells: "has it shredded, Chen the only one there", want: "refused II.5 no-witness",
			line: "record destroy --client acme --record brochure --method shred --operator chen --witness chen --evidence request-1"},
		{as: "officer", tells: "has it shredded, Wu Min the witness", clause: "II.5", want: "record.destroyed",
			line: "record destroy --client acme --record brochure --method shred --operator chen --witness wu --evidence request-1"},
		asking("brochure", "li-wei", "service", "", "Li Wei asks for the brochure", "denied II.5 destroyed"),
	},
}}

func withExplanation(s step) step {
	s.explain = true
	return s
}

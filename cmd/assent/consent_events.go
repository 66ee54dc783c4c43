package main

import (
	"cmp"
	"slices"
	"time"

	"github.com/qtccc/assent/domain"
)

// The states of a consent, and its kind, in the Data Privacy Vocabulary. Whatever
// rests on a signed paper was said expressly, for this alone.
const (
	explicit    = "dpv:ExplicitlyExpressedConsent"
	given       = "dpv:ConsentGiven"
	renewed     = "dpv:RenewedConsentGiven"
	withdrawn   = "dpv:ConsentWithdrawn"
	invalidated = "dpv:ConsentInvalidated"
	terminated  = "dpv:ConsentTerminated"
	expired     = "dpv:ConsentExpired"
)

// states are what an event means to a consent, whose event it is: a change of the
// designation ends a delegation.
var states = map[string]string{
	"engagement.confirmed": given, "designation.made": given, "delegation.authorized": given, "consent.given": given,
	"designation.changed": renewed, "consent.withdrawn": withdrawn, "designation.revoked": withdrawn, "delegation.revoked": withdrawn,
	"evidence.voided": invalidated, "erasure.approved": terminated,
}

// consentEvents are what became of it, in order, and that it ran out.
func (s *recordSource) consentEvents() (all []consentEvent) {
	r := s.right()
	until := text(r["until"])
	if s.designation != nil {
		until = earlier(until, text(s.designation["until"]))
	}
	until = utc(until)
	ended := ""
	for _, e := range s.events {
		kind := text(e["type"])
		state := cmp.Or(states[kind], terminated)
		if kind == "designation.changed" && text(r["right"]) == string(domain.Delegated) {
			state = terminated
		}
		event, _ := e["event"].(map[string]any)
		ev := consentEvent{EventTime: text(e["time"]), EntityID: text(r["client"]), EventType: explicit, EventState: state,
			Assent: &eventRest{numberOf(e["seq"]), text(e["id"]), kind, text(e["actor"]), text(event["evidence"])}}
		if states[kind] == invalidated || states[kind] == terminated {
			ev.EntityID = s.controller
		}
		end := ".."
		if state == given || state == renewed {
			end = cmp.Or(s.untilOf(event), end)
		} else if ended == "" {
			ended = ev.EventTime
		}
		ev.ValidityDuration = ev.EventTime + "/" + end
		all = append(all, ev)
	}
	if until != "" && (ended == "" && r["inForce"] != true || ended != "" && earlier(until, ended) == until) {
		ran := consentEvent{EventTime: until, ValidityDuration: until + "/..", EntityID: s.controller, EventType: explicit, EventState: expired}
		at := slices.IndexFunc(all, func(e consentEvent) bool { return e.EventTime != until && earlier(until, e.EventTime) == until })
		if at < 0 {
			at = len(all)
		}
		all = slices.Insert(all, at, ran)
	}
	return all
}

// untilOf is until when what the event says is valid, for the designee that the
// record is about where it names several; empty: open-ended.
func (s *recordSource) untilOf(event item) string {
	until := text(event["until"])
	for _, d := range list(event["designees"]) {
		if d, ok := d.(map[string]any); ok && text(d["designation"]) == text(s.right()["id"]) {
			until = text(d["until"])
		}
	}
	if s.designation != nil {
		until = earlier(until, text(s.designation["until"]))
	}
	return utc(until)
}

// utc is the moment as events write theirs.
func utc(moment string) string {
	t, err := time.Parse(time.RFC3339Nano, moment)
	if err != nil {
		return moment
	}
	return t.UTC().Format(time.RFC3339Nano)
}

// earlier is the earlier of two moments; one that is empty never comes.
func earlier(a, b string) string {
	at, errA := time.Parse(time.RFC3339Nano, a)
	bt, errB := time.Parse(time.RFC3339Nano, b)
	switch {
	case errB != nil:
		return a
	case errA != nil || bt.Before(at):
		return b
	}
	return a
}

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/qtccc/assent/domain"
)

// The formats of consent records.
const (
	formatRecord  = "27560"
	formatReceipt = "27560-receipt"
)

var recordFormats = []string{formatRecord, formatReceipt}

// recordable are the kinds of right that a consent record is of: what the client
// itself said in writing.
var recordable = []string{string(domain.Consented), string(domain.Designated), string(domain.Delegated)}

// consentRecords prints a consent record, or its receipt, for each item of a trace
// that is the client's consent. People get it indented, programs one a line.
func (a *app) consentRecords(ctx context.Context, format string, ask map[string]any) error {
	if !slices.Contains(recordFormats, format) {
		return fmt.Errorf("there is no format %s; the formats are %s", format, strings.Join(recordFormats, " and "))
	}
	for _, kind := range []string{"authorization", "terms", "approval"} {
		if ask[kind] != nil {
			return fmt.Errorf("a consent record is of what the client consented to in writing, and --%s is none; name a %s", kind, strings.Join(recordable, ", a "))
		}
	}
	c, err := a.come(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	n, going := 0, false
	for {
		r, err := c.ask(ctx, patience, ask)
		if err != nil {
			return err
		}
		items, err := itemsOf(r.all())
		if err != nil {
			return err
		}
		for _, it := range items {
			again := going
			going = it["more"] == true
			right, _ := it["right"].(map[string]any)
			if again || !slices.Contains(recordable, text(right["right"])) {
				continue
			}
			n++
			if err := a.consentRecord(ctx, c, format, it, r.At); err != nil {
				return err
			}
		}
		if r.Cursor == nil || going && ask["client"] != nil { // one right: the rest are its accesses
			break
		}
		ask["cursor"] = r.Cursor
	}
	if n == 0 {
		return fmt.Errorf("none of this is a %s, so there is no consent record", strings.Join(recordable, ", a "))
	}
	return nil
}

func (a *app) consentRecord(ctx context.Context, c *client, format string, trace item, at uint64) error {
	s, err := c.recordSource(ctx, trace, at)
	if err != nil {
		return err
	}
	rec := s.record()
	receipt := s.receipt(rec)
	var doc any = rec
	if format == formatReceipt {
		receipt.Record, doc = rec, receipt
	} else {
		rec.Receipt = receipt
	}
	return writeDocument(a.out, doc, !a.json)
}

// writeDocument writes JSON, its text as it is.
func writeDocument(out io.Writer, doc any, indented bool) error {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if indented {
		e.SetIndent("", "  ")
	}
	if err := e.Encode(doc); err != nil {
		return err
	}
	_, err := out.Write(b.Bytes())
	return err
}

// recordSource asks for what the record says besides the trace, all as of the event
// that the trace is of.
func (c *client) recordSource(ctx context.Context, trace item, at uint64) (*recordSource, error) {
	s := &recordSource{trace: trace, parties: map[string]item{}, records: map[string]item{}}
	s.as = asOf{Ledger: c.ledger, Sequence: at}
	r := s.right()
	if s.says = r; text(r["right"]) == string(domain.Delegated) && r["ended"] != nil {
		// What its designation says now it never had.
		then, err := c.ask(ctx, patience, map[string]any{"ask": "trace", "client": r["client"], "delegation": r["id"], "at": sequence(r["ended"]) - 1})
		if err != nil {
			return nil, err
		}
		items, err := itemsOf(then.all())
		if err != nil {
			return nil, err
		}
		if len(items) > 0 {
			s.says, _ = items[0]["right"].(map[string]any)
		}
	}
	status, _, err := c.askAll(ctx, map[string]any{"ask": "status"})
	if err != nil {
		return nil, err
	}
	s.controller = text(status[0]["name"])
	last, err := c.event(ctx, at)
	if err != nil {
		return nil, err
	}
	s.as.Time = text(last["time"])
	if r["behalfOf"] != nil {
		found, _, err := c.askAll(ctx, map[string]any{"ask": "rights", "client": r["client"], "party": r["behalfOf"], "ended": true, "at": at})
		if err != nil {
			return nil, err
		}
		for _, d := range found {
			if text(d["right"]) == string(domain.Designated) && text(d["id"]) == text(r["designation"]) && !after(d["changed"], r["from"]) {
				s.designation = d
			}
		}
	}
	for _, read := range []func(context.Context, *recordSource) error{c.readNames, c.readRecords, c.readEvents, c.readNotices} {
		if err := read(ctx, s); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// event is one of the trail's.
func (c *client) event(ctx context.Context, seq uint64) (item, error) {
	found, _, err := c.askAll(ctx, map[string]any{"ask": "trail", "from": seq, "to": seq + 1})
	if err == nil && len(found) != 1 {
		err = fmt.Errorf("the ledger shows no event %d", seq)
	}
	if err != nil {
		return nil, err
	}
	return found[0], nil
}

// trail are the events of a type up to the record's, which fit.
func (c *client) trail(ctx context.Context, s *recordSource, kind string, filter map[string]any, fits func(event item) bool) (all []item, err error) {
	ask := map[string]any{"ask": "trail", "type": kind, "to": s.as.Sequence + 1}
	for name, v := range filter {
		ask[name] = v
	}
	found, _, err := c.askAll(ctx, ask)
	for _, e := range found {
		if event, _ := e["event"].(map[string]any); fits(event) {
			all = append(all, e)
		}
	}
	return all, err
}

// readNames reads what the client and the parties are called.
func (c *client) readNames(ctx context.Context, s *recordSource) error {
	r := s.right()
	named := func(noun, id string) (item, error) {
		whole := item{}
		for _, verb := range []string{".registered", ".amended"} {
			found, err := c.trail(ctx, s, noun+verb, map[string]any{noun: id}, func(event item) bool { return text(event[noun]) == id })
			if err != nil {
				return nil, err
			}
			for _, e := range found {
				for name, v := range e["event"].(map[string]any) {
					whole[name] = v
				}
			}
		}
		return whole, nil
	}
	of, err := named("client", text(r["client"]))
	if err != nil {
		return err
	}
	s.clientName = text(of["name"])
	for _, id := range []any{r["party"], r["behalfOf"]} {
		if id == nil {
			continue
		}
		if s.parties[text(id)], err = named("party", text(id)); err != nil {
			return err
		}
	}
	return nil
}

// readRecords reads the records that the scope names.
func (c *client) readRecords(ctx context.Context, s *recordSource) error {
	scope, _ := s.says["scope"].(map[string]any)
	wanted := list(scope["records"])
	ask := map[string]any{"ask": "records", "client": s.right()["client"], "at": s.as.Sequence}
	for len(s.records) < len(wanted) {
		r, err := c.ask(ctx, patience, ask)
		if err != nil {
			return err
		}
		items, err := itemsOf(r.all())
		if err != nil {
			return err
		}
		for _, it := range items {
			if slices.Contains(wanted, it["record"]) {
				s.records[text(it["record"])] = it
			}
		}
		if r.Cursor == nil {
			break
		}
		ask["cursor"] = r.Cursor
	}
	return nil
}

// turns are the types of event that change or end a right by its id.
var turns = map[string][]string{
	string(domain.Consented):  {"consent.withdrawn"},
	string(domain.Designated): {"designation.changed", "designation.revoked"},
	string(domain.Delegated):  {"delegation.revoked"},
}

// readEvents reads what made the right, changed and ended it.
func (c *client) readEvents(ctx context.Context, s *recordSource) error {
	r := s.right()
	kind := text(r["right"])
	for _, name := range []string{"from", "ended"} {
		if r[name] == nil {
			continue
		}
		e, err := c.event(ctx, sequence(r[name]))
		if err != nil {
			return err
		}
		s.events = append(s.events, e)
	}
	for _, turn := range turns[kind] {
		found, err := c.trail(ctx, s, turn, map[string]any{"client": r["client"], "party": r["party"]},
			func(event item) bool { return text(event[kind]) == text(r["id"]) })
		if err != nil {
			return err
		}
		s.events = append(s.events, found...)
	}
	slices.SortFunc(s.events, bySequence)
	s.events = slices.CompactFunc(s.events, func(a, b item) bool { return bySequence(a, b) == 0 })
	return nil
}

func bySequence(a, b item) int { return cmp.Compare(sequence(a["seq"]), sequence(b["seq"])) }

// after says whether one event came after another; one that isn't given never did.
func after(a, b any) bool { return sequence(a) > sequence(b) }

func sequence(v any) uint64 {
	n, _ := strconv.ParseUint(text(v), 10, 64)
	return n
}

// readNotices reads the editions of the statement that were in force when the client
// spoke.
func (c *client) readNotices(ctx context.Context, s *recordSource) error {
	for _, e := range s.events {
		if state := states[text(e["type"])]; state != given && state != renewed {
			continue
		}
		found, _, err := c.askAll(ctx, map[string]any{"ask": "editions", "at": e["seq"]})
		if err != nil {
			return err
		}
		notice := privacyNotice{Title: "Confidentiality Statement"}
		for _, it := range found {
			if text(it["state"]) == "in-force" {
				notice.Edition, notice.Effective, notice.SHA256 = numberOf(it["edition"]), text(it["effective"]), text(it["sha256"])
			}
		}
		if !slices.Contains(s.notices, notice) {
			s.notices = append(s.notices, notice)
		}
	}
	return nil
}

package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// asAnswered is one right as the ledger's answers have it, in a file of
// testdata/27560.
type asAnswered struct {
	Trace       item            `json:"trace"`
	Designation item            `json:"designation"`
	ClientName  string          `json:"clientName"`
	Parties     map[string]item `json:"parties"`
	Records     map[string]item `json:"records"`
	Events      []item          `json:"events"`
	Notices     []privacyNotice `json:"notices"`
}

func readSource(t *testing.T, path string) *recordSource {
	b, err := os.ReadFile(path)
	require.NoError(t, err)
	var a asAnswered
	require.NoError(t, decode(b, &a), path)
	s := &recordSource{as: asOf{aLedger, 131, "2026-07-01T09:00:00Z"}, controller: "qtccc", trace: a.Trace, designation: a.Designation,
		clientName: a.ClientName, parties: a.Parties, records: a.Records, events: a.Events, notices: a.Notices}
	s.says = s.right()
	return s
}

// TestConsentRecordsAreInTheirForm: golden files of records and receipts, made of
// answers of the ledger. Run with -update after a change.
func TestConsentRecordsAreInTheirForm(t *testing.T) {
	paths, err := filepath.Glob("testdata/27560/*.answers.json")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		s := readSource(t, path)
		rec := s.record()
		receipt := s.receipt(rec)
		rec.Receipt = receipt
		var b bytes.Buffer
		require.NoError(t, writeDocument(&b, rec, true))
		golden := strings.Replace(path, ".answers.", ".record.", 1)
		if *update {
			require.NoError(t, os.WriteFile(golden, b.Bytes(), 0o644))
		}
		want, err := os.ReadFile(golden)
		require.NoError(t, err)
		require.Equal(t, string(want), b.String(), path)

		rec.Receipt = nil
		receipt.Record = rec
		b.Reset()
		require.NoError(t, writeDocument(&b, receipt, false))
		var r struct {
			SchemaVersion string          `json:"schema_version"`
			ReceiptID     string          `json:"receipt_id"`
			RecordID      string          `json:"record_id"`
			Record        json.RawMessage `json:"record"`
		}
		require.NoError(t, json.Unmarshal(b.Bytes(), &r))
		require.Equal(t, receiptSchema, r.SchemaVersion)
		require.Equal(t, rec.RecordID, r.RecordID)
		require.NotEqual(t, r.RecordID, r.ReceiptID)
		require.NotEmpty(t, r.Record)
	}
}

// mandatory are the fields that ISO/IEC TS 27560:2023 wants in every record, by the
// path to them.
var mandatory = strings.Fields(`
	schema_version record_id pii_principal_id
	pii_processing.privacy_notice pii_processing.language pii_processing.purposes
	pii_processing.purposes.purpose pii_processing.purposes.pii_information pii_processing.purposes.pii_controllers
	pii_processing.purposes.storage_locations pii_processing.purposes.retention_period pii_processing.purposes.jurisdiction
	pii_processing.purposes.recipient_third_parties pii_processing.purposes.withdrawal_method
	pii_processing.purposes.pii_information.pii_type
	party_identification.party_id party_identification.party_name party_identification.party_type
	events.event_time events.validity_duration events.entity_id events.event_type events.event_state`)

// TestConsentRecordsHaveAllThatIsMandatory: each field is there and says something,
// in every element of every list; address and contact of all parties but the client.
func TestConsentRecordsHaveAllThatIsMandatory(t *testing.T) {
	paths, err := filepath.Glob("testdata/27560/*.record.json")
	require.NoError(t, err)
	require.NotEmpty(t, paths)
	for _, path := range paths {
		b, err := os.ReadFile(path)
		require.NoError(t, err)
		var doc any
		require.NoError(t, decode(b, &doc))
		for _, field := range mandatory {
			hold(t, doc, strings.Split(field, "."), path+" "+field)
		}
		for _, p := range list(doc.(map[string]any)["party_identification"]) {
			p := p.(map[string]any)
			require.Equal(t, p["party_role"] != "dpv:DataSubject", p["party_address"] != nil && p["party_contact"] != nil, path)
		}
		controllers := list(list(doc.(map[string]any)["pii_processing"].(map[string]any)["purposes"])[0].(map[string]any)["pii_controllers"])
		require.True(t, slices.Contains(controllers, any("qtccc")), path)
	}
}

func hold(t *testing.T, v any, path []string, what string) {
	if all, ok := v.([]any); ok {
		require.NotEmpty(t, all, what)
		for _, one := range all {
			hold(t, one, path, what)
		}
		return
	}
	if len(path) == 0 {
		require.NotEmpty(t, v, what)
		return
	}
	m, ok := v.(map[string]any)
	require.True(t, ok, what)
	require.Contains(t, m, path[0], what)
	hold(t, m[path[0]], path[1:], what)
}

// TestAnItemThatFillsPagesIsOneLine: what the pages repeat is written once.
func TestAnItemThatFillsPagesIsOneLine(t *testing.T) {
	var part tracePart
	var out bytes.Buffer
	for _, page := range []string{
		`{"right":{"id":"c1"},"new":1.50,"relied":[],"more":true}`,
		`{"right":{"id":"c1"},"new":1.50,"relied":[{"seq":3},{"seq":4}],"more":true}`,
		`{"right":{"id":"c1"},"new":1.50,"relied":[{"seq":9}]}`,
		`{"relied":[]}`,
		`{"instrument":{"a":[{}]},"relied":[{"seq":12}],"more":true}`,
		`{"instrument":{"a":[{}]},"relied":[]}`,
	} {
		require.NoError(t, part.write(&out, []byte(page)))
	}
	require.Equal(t, `{"right":{"id":"c1"},"new":1.50,"relied":[{"seq":3},{"seq":4},{"seq":9}]}
{"relied":[]}
{"instrument":{"a":[{}]},"relied":[{"seq":12}]}
`, out.String())
}

// TestATableGoesOnOverPages under the head of its item.
func TestATableGoesOnOverPages(t *testing.T) {
	var out bytes.Buffer
	p := &printer{out: &out}
	page := func(relied string, more bool) {
		var it item
		require.NoError(t, decode([]byte(`{"right":{"right":"authorization","id":"a1","client":"acme","party":"wu","from":7,"inForce":true},"relied":`+relied+`}`), &it))
		if it["more"] = more; !more {
			delete(it, "more")
		}
		require.NoError(t, printTraces(p, []item{it}))
	}
	access := `{"seq":9,"time":"T","party":"wu","record":"r","action":"use","purpose":"fees","decision":"granted","clause":"II.2","code":"authorized"}`
	page(`[`+access+`]`, true)
	page(`[]`, true)
	page(`[`+access+`]`, false)
	page(`[]`, false)
	require.Equal(t, `authorization a1 of acme for wu: in force
  since #7
  on no paper
SEQ  TIME  PARTY  RECORD  ACTION  PURPOSE  DECISION  WHY
9    T     wu     r       use     fees     granted   II.2 authorized
9    T     wu     r       use     fees     granted   II.2 authorized

authorization a1 of acme for wu: in force
  since #7
  on no paper
no decision names it
`, out.String())
}

package eventstore

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

func TestAckSaysWhatItsMakerSays(t *testing.T) {
	a, end := NewAck()
	select {
	case <-a.Done():
		t.Fatal("done before its end")
	default:
	}
	go end(ErrFenced)
	require.ErrorIs(t, a.Err(), ErrFenced)
	<-a.Done()
	require.ErrorIs(t, a.Err(), ErrFenced)
}

func TestFenceIsToldFromOtherErrors(t *testing.T) {
	for code, want := range map[int]error{
		10070: ErrFenced, 10071: ErrFenced, 10164: ErrFenced,
		10077: ErrUnknown, 10174: ErrUnknown, 10023: ErrUnknown, 503: ErrUnknown, 0: ErrUnknown,
	} {
		answer := fmt.Sprintf(`{"error":{"code":400,"err_code":%d,"description":"wrong last sequence: 5"},"stream":"LEDGER","seq":0}`, code)
		for _, batch := range []string{"", "b1"} {
			require.ErrorIs(t, verdict(&nats.Msg{Data: []byte(answer)}, 7, batch, 3), want, answer)
		}
	}
}

func TestAckInAnotherSpellingCounts(t *testing.T) {
	for _, answer := range []string{
		`{"stream":"LEDGER","seq":7}`, `{ "seq": 7, "stream": "LEDGER" }`, `{"stream":"LEDGER","seq":7,"duplicate":false}`,
	} {
		require.NoError(t, verdict(&nats.Msg{Data: []byte(answer)}, 7, "", 1), answer)
		require.ErrorIs(t, verdict(&nats.Msg{Data: []byte(answer)}, 7, "b", 1), ErrUnknown, answer)
	}
	require.NoError(t, verdict(&nats.Msg{Data: []byte(`{"stream":"LEDGER","seq":7,"batch":"b1","count":3}`)}, 7, "b1", 3))
	require.NoError(t, verdict(&nats.Msg{Data: []byte(`{"stream":"LEDGER", "seq":7, "batch":"b1", "count":3}`)}, 7, "b1", 3))
}

// FuzzAck: whatever is answered, it counts only where a decoder that isn't ours
// finds in it exactly what was foreseen.
func FuzzAck(f *testing.F) {
	for _, s := range []string{
		`{"stream":"LEDGER","seq":7}`, `{"stream":"LEDGER","seq":7,"batch":"b1","count":3}`, `{"stream":"LEDGER","seq":7,"duplicate":true}`,
		`{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 5"},"stream":"LEDGER","seq":0}`, ``, `{}`, `[`,
	} {
		f.Add([]byte(s), uint64(7), true)
		f.Add([]byte(s), uint64(7), false)
	}
	f.Fuzz(func(t *testing.T, answer []byte, seq uint64, batched bool) {
		batch, count := "", 1
		want := map[string]any{"stream": "LEDGER", "seq": json.Number(fmt.Sprint(seq))}
		if batched {
			batch, count = "b1", 3
			want["batch"], want["count"] = "b1", json.Number("3")
		}
		err := verdict(&nats.Msg{Data: answer}, seq, batch, count)
		if err != nil {
			require.True(t, errors.Is(err, ErrFenced) != errors.Is(err, ErrUnknown))
			return
		}
		got := map[string]any{}
		d := json.NewDecoder(strings.NewReader(string(answer)))
		d.UseNumber()
		require.NoError(t, d.Decode(&got))
		for name, v := range got {
			if _, ok := want[name]; !ok && (v == false || v == "" || v == json.Number("0") || v == nil) {
				delete(got, name)
			}
		}
		require.Equal(t, want, got)
	})
}

// FuzzSequence: the sequence of a message is read as nats.go reads it.
func FuzzSequence(f *testing.F) {
	f.Add("$JS.ACK.LEDGER.C.1.22.22.1700000000000000000.5")
	f.Add("$JS.ACK.LEDGER.C.1.22")
	f.Add("_INBOX.x")
	f.Fuzz(func(t *testing.T, reply string) {
		seq, ok := sequence(reply)
		if !ok {
			return
		}
		m := nats.Msg{Reply: reply, Sub: &nats.Subscription{}}
		meta, err := m.Metadata()
		if err == nil && meta.Stream == Stream {
			require.Equal(t, meta.Sequence.Stream, seq)
		}
	})
}

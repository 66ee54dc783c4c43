package eventstore

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

const other = "0191e7a4-7c1b-7d6e-9f00-3a5b8c2d1e50"

func TestCreateIsDoneOnceAndOpenFindsIt(t *testing.T) {
	nc := connect(t, serve(t, t.TempDir()))
	_, err := Open(soon(t), nc, ledger)
	require.ErrorIs(t, err, ErrNoLog)
	there, err := Exists(soon(t), nc)
	require.NoError(t, err)
	require.False(t, there)

	l, err := Create(soon(t), nc, ledger)
	require.NoError(t, err)
	fill(t, l, 3)
	for _, again := range []func() (*Log, error){
		func() (*Log, error) { return Create(soon(t), nc, ledger) },
		func() (*Log, error) { return Open(soon(t), nc, ledger) },
	} {
		l, err := again()
		require.NoError(t, err)
		require.EqualValues(t, 3, last(t, l))
	}
	there, err = Exists(soon(t), nc)
	require.NoError(t, err)
	require.True(t, there)
}

func TestAnotherLedgersLogIsLeftAlone(t *testing.T) {
	nc := connect(t, serve(t, t.TempDir()))
	l, err := Create(soon(t), nc, other)
	require.NoError(t, err)
	fill(t, l, 1)
	_, err = Open(soon(t), nc, ledger)
	require.ErrorIs(t, err, ErrOtherLedger)
	require.ErrorContains(t, err, other)
	_, err = Create(soon(t), nc, ledger)
	require.ErrorIs(t, err, ErrOtherLedger)
	require.EqualValues(t, 1, last(t, l))
}

// What an administrator of NATS may change, or may have made differently.
func TestOpenNamesTheFieldThatDiffers(t *testing.T) {
	nc := connect(t, serve(t, t.TempDir()))
	js, err := jetstream.New(nc)
	require.NoError(t, err)
	for field, change := range map[string]func(*jetstream.StreamConfig){
		"subjects":             func(c *jetstream.StreamConfig) { c.Subjects = append(c.Subjects, "more") },
		"retention":            func(c *jetstream.StreamConfig) { c.Retention = jetstream.InterestPolicy },
		"max_consumers":        func(c *jetstream.StreamConfig) { c.MaxConsumers = 9 },
		"max_msgs":             func(c *jetstream.StreamConfig) { c.MaxMsgs = 3 },
		"max_bytes":            func(c *jetstream.StreamConfig) { c.MaxBytes = 1 << 20 },
		"max_age":              func(c *jetstream.StreamConfig) { c.MaxAge = time.Hour },
		"max_msgs_per_subject": func(c *jetstream.StreamConfig) { c.MaxMsgsPerSubject = 3 },
		"max_msg_size":         func(c *jetstream.StreamConfig) { c.MaxMsgSize = 1000 },
		"discard":              func(c *jetstream.StreamConfig) { c.Discard = jetstream.DiscardOld },
		"storage":              func(c *jetstream.StreamConfig) { c.Storage = jetstream.MemoryStorage },
		"duplicate_window":     func(c *jetstream.StreamConfig) { c.Duplicates = time.Minute },
		"compression":          func(c *jetstream.StreamConfig) { c.Compression = jetstream.S2Compression },
		"deny_delete":          func(c *jetstream.StreamConfig) { c.DenyDelete = false },
		"deny_purge":           func(c *jetstream.StreamConfig) { c.DenyPurge = false },
		"allow_direct":         func(c *jetstream.StreamConfig) { c.AllowDirect = false },
		"allow_atomic":         func(c *jetstream.StreamConfig) { c.AllowAtomicPublish = false },
		"allow_msg_ttl":        func(c *jetstream.StreamConfig) { c.AllowMsgTTL = true },
		"persist_mode": func(c *jetstream.StreamConfig) {
			c.PersistMode = jetstream.AsyncPersistMode
			c.AllowAtomicPublish = false
		},
		"republish": func(c *jetstream.StreamConfig) { c.RePublish = &jetstream.RePublish{Destination: "assent.copy.>"} },
		"subject_transform": func(c *jetstream.StreamConfig) {
			c.SubjectTransform = &jetstream.SubjectTransformConfig{Source: ">", Destination: "x.>"}
		},
		"consumer_limits": func(c *jetstream.StreamConfig) { c.ConsumerLimits.MaxAckPending = 3 },
		"first_seq":       func(c *jetstream.StreamConfig) { c.FirstSeq = 7 },
		"description":     func(c *jetstream.StreamConfig) { c.Description = "mine" },
		"metadata.more":   func(c *jetstream.StreamConfig) { c.Metadata["more"] = "x" },
		"metadata.ledger": func(c *jetstream.StreamConfig) { c.Metadata = nil },
	} {
		c := config(ledger)
		change(&c)
		require.Eventually(t, func() bool { // the server clears the last one away after it has said so
			_, err := js.CreateStream(soon(t), c)
			return err == nil
		}, 5*time.Second, time.Millisecond, field)
		_, err := Open(soon(t), nc, ledger)
		require.ErrorIs(t, err, ErrConfig, field)
		if field == "persist_mode" {
			field = "allow_atomic" // the two exclude each other
		}
		require.ErrorContains(t, err, field)
		_, err = Create(soon(t), nc, ledger)
		require.ErrorIs(t, err, ErrConfig, field)
		require.NoError(t, js.DeleteStream(soon(t), Stream))
	}
}

// A server to come may know more fields: zero is as though there were none.
func TestUnknownFieldsAreWantedToBeZero(t *testing.T) {
	l, _ := fresh(t)
	i, err := l.info(soon(t))
	require.NoError(t, err)
	require.NoError(t, i.check(ledger))
	for _, v := range []string{`0`, `false`, `""`, `null`, `[]`, `{}`, `{"a":0,"b":{"c":[0,""]}}`, `[null]`} {
		i.Config["to_come"] = jsontext.Value(v)
		require.NoError(t, i.check(ledger), v)
	}
	for _, v := range []string{`1`, `true`, `"x"`, `[1]`, `{"a":1}`, `{"a":{"b":[0,1]}}`} {
		i.Config["to_come"] = jsontext.Value(v)
		err := i.check(ledger)
		require.ErrorIs(t, err, ErrConfig, v)
		require.ErrorContains(t, err, "to_come")
	}
	delete(i.Config, "to_come")
	for field := range wanted {
		kept := i.Config[field]
		delete(i.Config, field)
		require.ErrorContains(t, i.check(ledger), field)
		i.Config[field] = kept
	}
	require.NoError(t, i.check(ledger))
}

// A creation that was killed has left a directory, or half of what belongs in it.
// None of the leftovers keeps the next one from being made.
func TestCreationKilledAnywhereIsFinished(t *testing.T) {
	made := t.TempDir()
	s := serve(t, made)
	_, err := Create(soon(t), connect(t, s), ledger)
	require.NoError(t, err)
	s.Stop()
	stream := filepath.Join("jetstream", "LEDGER", "streams", Stream)
	read := func(name string) []byte {
		b, err := os.ReadFile(filepath.Join(made, stream, name))
		require.NoError(t, err)
		return b
	}
	inf, sum := read("meta.inf"), read("meta.sum")
	for name, files := range map[string]map[string][]byte{
		"a directory":           {},
		"a torn file":           {"meta.inf.tmp": inf[:len(inf)/2]},
		"no checksum":           {"meta.inf": inf},
		"a torn checksum":       {"meta.inf": inf, "meta.sum.tmp": sum[:3]},
		"power gone, empty":     {"meta.inf": nil, "meta.sum": nil},
		"power gone, half":      {"meta.inf": inf[:len(inf)/2], "meta.sum": sum},
		"whole, no message yet": {"meta.inf": inf, "meta.sum": sum},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			require.NoError(t, os.MkdirAll(filepath.Join(dir, stream, "msgs"), 0o700))
			require.NoError(t, os.MkdirAll(filepath.Join(dir, stream, "obs"), 0o700))
			for f, b := range files {
				require.NoError(t, os.WriteFile(filepath.Join(dir, stream, f), b, 0o600))
			}
			for range 2 { // and the one after a restart too
				s := serve(t, dir)
				l, err := Create(soon(t), connect(t, s), ledger)
				require.NoError(t, err)
				fill(t, l, 1)
				s.Stop()
			}
			l, err := Open(soon(t), connect(t, serve(t, dir)), ledger)
			require.NoError(t, err)
			require.EqualValues(t, 2, last(t, l))
		})
	}
}

func TestLastRefusesALogThatLostMessages(t *testing.T) {
	for name, lose := range map[string]func(jetstream.Stream) error{
		"the first": func(s jetstream.Stream) error { return s.DeleteMsg(soon(t), 1) },
		"a later":   func(s jetstream.Stream) error { return s.DeleteMsg(soon(t), 2) },
		"the last":  func(s jetstream.Stream) error { return s.DeleteMsg(soon(t), 3) },
		"all":       func(s jetstream.Stream) error { return s.Purge(soon(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			nc := connect(t, serve(t, t.TempDir()))
			js, err := jetstream.New(nc)
			require.NoError(t, err)
			c := config(ledger)
			c.DenyDelete, c.DenyPurge = false, false
			stream, err := js.CreateStream(soon(t), c)
			require.NoError(t, err)
			l := &Log{nc: nc, js: js, stream: stream}
			for range 3 {
				_, err := js.Publish(soon(t), Root+"x", nil)
				require.NoError(t, err)
			}
			require.EqualValues(t, 3, last(t, l))
			require.NoError(t, lose(stream))
			_, err = l.Last(soon(t))
			require.ErrorIs(t, err, ErrGap)
			require.ErrorIs(t, l.Read(soon(t), 1, 0, func(Message) error { return nil }), ErrGap)
		})
	}
}

func TestLastIsWhatTheServerSays(t *testing.T) {
	for state, want := range map[string]error{
		`{"messages":0,"first_seq":0,"last_seq":0}`:                               nil,
		`{"messages":3,"first_seq":1,"last_seq":3}`:                               nil,
		`{"messages":3,"first_seq":1,"last_seq":3,"lost":{"msgs":[2],"bytes":9}}`: ErrGap,
		`{"messages":3,"first_seq":1,"last_seq":3,"num_deleted":1}`:               ErrGap,
		`{"messages":3,"first_seq":2,"last_seq":3}`:                               ErrGap,
	} {
		var i streamInfo
		require.NoError(t, json.Unmarshal([]byte(`{"state":`+state+`}`), &i))
		_, err := i.last()
		require.Truef(t, errors.Is(err, want), "%s: %v", state, err)
	}
}

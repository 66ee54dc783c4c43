package eventstore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

const (
	// Stream is the stream's name, by which subscribers know it too.
	Stream = "LEDGER"
	// Root is what every subject begins with.
	Root = "assent.evt."

	// identity is the metadata that holds the ledger's UUID.
	identity = "ledger"
	// window is as long as the server remembers message ids, the shortest that it
	// takes. A start loads each message that is younger.
	window = 100 * time.Millisecond
)

// config is what Create asks for. Messages are never to go: no limit removes one,
// and if somebody sets one after all, new messages are refused and old ones kept.
func config(ledger string) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:               Stream,
		Subjects:           []string{Root + ">"},
		Retention:          jetstream.LimitsPolicy,
		MaxConsumers:       -1,
		MaxMsgs:            -1,
		MaxBytes:           -1,
		MaxMsgsPerSubject:  -1,
		MaxMsgSize:         -1,
		Discard:            jetstream.DiscardNew,
		Storage:            jetstream.FileStorage,
		Replicas:           1,
		Duplicates:         window,
		Compression:        jetstream.NoCompression,
		DenyDelete:         true,
		DenyPurge:          true,
		AllowDirect:        true,
		AllowAtomicPublish: true,
		Metadata:           map[string]string{identity: ledger},
	}
}

// wanted is how the server describes that configuration. What isn't here is wanted
// to be zero, fields of later servers included.
var wanted = map[string]string{
	"name":                 `"LEDGER"`,
	"subjects":             `["assent.evt.>"]`,
	"retention":            `"limits"`,
	"max_consumers":        `-1`,
	"max_msgs":             `-1`,
	"max_bytes":            `-1`,
	"max_msgs_per_subject": `-1`,
	"max_msg_size":         `-1`,
	"discard":              `"new"`,
	"storage":              `"file"`,
	"num_replicas":         `1`,
	"duplicate_window":     `100000000`,
	"compression":          `"none"`,
	"deny_delete":          `true`,
	"deny_purge":           `true`,
	"allow_direct":         `true`,
	"allow_atomic":         `true`,
}

// streamInfo is what the server says of the stream.
type streamInfo struct {
	Config map[string]jsontext.Value `json:"config"`
	State  struct {
		Messages uint64         `json:"messages"`
		First    Seq            `json:"first_seq"`
		Last     Seq            `json:"last_seq"`
		Deleted  int            `json:"num_deleted"`
		Lost     jsontext.Value `json:"lost"`
	} `json:"state"`
	Error *apiError `json:"error"`
}

// info asks the server. ErrNoLog: there is no stream of this name.
func (l *Log) info(ctx context.Context) (*streamInfo, error) { return info(ctx, l.nc) }

func info(ctx context.Context, nc *nats.Conn) (*streamInfo, error) {
	m, err := nc.RequestWithContext(ctx, "$JS.API.STREAM.INFO."+Stream, nil)
	if err != nil {
		return nil, fmt.Errorf("ask for the stream: %w", err)
	}
	var i streamInfo
	if err := json.Unmarshal(m.Data, &i); err != nil {
		return nil, fmt.Errorf("ask for the stream: %w", err)
	}
	if i.Error != nil {
		if i.Error.Code == int(jetstream.JSErrCodeStreamNotFound) {
			return nil, ErrNoLog
		}
		return nil, fmt.Errorf("ask for the stream: %w", i.Error)
	}
	for field, v := range i.Config {
		if err := v.Canonicalize(); err != nil { // one spelling of each value
			return nil, fmt.Errorf("ask for the stream: %w", err)
		}
		i.Config[field] = v
	}
	return &i, nil
}

// Exists says whether there is a stream LEDGER, whosever it is.
func Exists(ctx context.Context, nc *nats.Conn) (bool, error) {
	_, err := info(ctx, nc)
	if errors.Is(err, ErrNoLog) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("eventstore: %w", err)
	}
	return true, nil
}

// Last is the last sequence; 0 where nothing was recorded. ErrGap: the server knows
// itself that the log doesn't begin at 1, or that messages of it are gone. One that
// is damaged it doesn't miss: reading does.
func (l *Log) Last(ctx context.Context) (Seq, error) {
	i, err := l.info(ctx)
	if err != nil {
		return 0, fmt.Errorf("eventstore: last: %w", err)
	}
	seq, err := i.last()
	if err != nil {
		return 0, fmt.Errorf("eventstore: last: %w", err)
	}
	return seq, nil
}

func (i *streamInfo) last() (Seq, error) {
	s := &i.State
	switch {
	case s.Last > 0 && s.First != 1:
		return 0, fmt.Errorf("%w: the first of %d messages is %d", ErrGap, s.Last, s.First)
	case s.Messages != s.Last || s.Deleted != 0:
		return 0, fmt.Errorf("%w: of %d messages %d are there", ErrGap, s.Last, s.Messages)
	case len(s.Lost) > 0 && !zero(s.Lost):
		return 0, fmt.Errorf("%w: the server lost %s", ErrGap, s.Lost)
	}
	return s.Last, nil
}

// check holds the configuration against what Create asks for.
func (i *streamInfo) check(ledger string) error {
	for _, field := range slices.Sorted(maps.Keys(wanted)) {
		if have := string(i.Config[field]); have != wanted[field] {
			return fmt.Errorf("%w: %s is %s, not %s", ErrConfig, field, orNothing(have), wanted[field])
		}
	}
	for _, field := range slices.Sorted(maps.Keys(i.Config)) {
		if _, ok := wanted[field]; ok || field == "metadata" {
			continue
		}
		if have := i.Config[field]; !zero(have) {
			return fmt.Errorf("%w: %s is %s, and should not be set", ErrConfig, field, have)
		}
	}
	var metadata map[string]string
	if raw := i.Config["metadata"]; raw != nil {
		if err := json.Unmarshal(raw, &metadata); err != nil {
			return fmt.Errorf("%w: metadata: %w", ErrConfig, err)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(metadata)) {
		if key != identity && !strings.HasPrefix(key, "_nats.") {
			return fmt.Errorf("%w: metadata.%s is set, and should not be", ErrConfig, key)
		}
	}
	switch have, ok := metadata[identity]; {
	case !ok:
		return fmt.Errorf("%w: metadata.%s is nothing, not %q", ErrConfig, identity, ledger)
	case have != ledger:
		return fmt.Errorf("%w: %s, not %s", ErrOtherLedger, have, ledger)
	}
	return nil
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// zero says whether a JSON value says nothing: false, 0, null, "", or a list or an
// object of nothing else.
func zero(v jsontext.Value) bool {
	switch v.Kind() {
	case '[':
		var list []jsontext.Value
		return json.Unmarshal(v, &list) == nil && !slices.ContainsFunc(list, func(v jsontext.Value) bool { return !zero(v) })
	case '{':
		var members map[string]jsontext.Value
		if json.Unmarshal(v, &members) != nil {
			return false
		}
		for _, m := range members {
			if !zero(m) {
				return false
			}
		}
		return true
	}
	s := string(v)
	return s == "false" || s == "null" || s == "0" || s == `""`
}

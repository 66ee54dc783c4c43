package natsd

import (
	"fmt"
	"log/slog"
	"strings"
	"sync"

	"github.com/nats-io/nats-server/v2/server"
)

// A voice is what the server speaks with. What would end the process of a
// nats-server of its own is kept instead: Start and Admit return it.
type voice struct {
	log *slog.Logger

	mu      sync.Mutex
	end     string // guarded by mu: the first fatal line
	warning string // guarded by mu: the last warning or error
}

var _ server.Logger = (*voice)(nil)

func newVoice(log *slog.Logger) *voice {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &voice{log: log.With("from", "nats-server")}
}

func (v *voice) Noticef(format string, a ...any) {
	v.log.Debug(strings.TrimSpace(fmt.Sprintf(format, a...)))
}

func (v *voice) Warnf(format string, a ...any) {
	v.log.Warn(v.heard(format, a...))
}

// cutShort is how the server says that it can't finish a batch that it had begun to
// commit, since what it was staged in is gone.
const cutShort = "Failed restoring partial batch write"

func (v *voice) Errorf(format string, a ...any) {
	line := v.heard(format, a...)
	if strings.HasPrefix(line, cutShort) {
		v.log.Warn("it ended while events were being recorded: the last of them aren't, and none of these was acknowledged", "line", line)
		return
	}
	v.log.Error(line)
}

func (v *voice) Fatalf(format string, a ...any) {
	line := v.heard(format, a...)
	v.log.Error(line)
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.end == "" {
		v.end = line
	}
}

// Debugf and Tracef are never called: the server is told so.
func (v *voice) Debugf(string, ...any) {}
func (v *voice) Tracef(string, ...any) {}

func (v *voice) heard(format string, a ...any) string {
	line := strings.TrimSpace(fmt.Sprintf(format, a...))
	v.mu.Lock()
	defer v.mu.Unlock()
	v.warning = line
	return line
}

func (v *voice) lastWarning() string {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.warning
}

// fatal is what the server ended on, if it did.
func (v *voice) fatal() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.end == "" {
		return nil
	}
	return fmt.Errorf("natsd: %s", v.end)
}

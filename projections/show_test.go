package projections

import (
	"bytes"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/qtccc/assent/domain"
)

// † fields are shown opened, and where they can't be, as their commitment.
func TestTextsAreShownOpenedOrAsTheirCommitment(t *testing.T) {
	b := newBook(t)
	b.play(t, agency)
	cfg := b.config()
	cfg.Ring = nil
	blind := NewService(cfg)
	defer blind.Close()

	open := each[recordItem](t, b.ask("clerk", `{"ask":"records","client":"acme"}`).Items)
	require.Len(t, open, 3)
	require.Equal(t, "Formula of the cream", open[1].Title)
	require.Equal(t, "safe 3", open[1].Custody)
	require.Equal(t, "Label", open[2].Title)
	require.Empty(t, open[2].Custody)
	shut := each[recordItem](t, b.askWith(t.Context(), blind, "clerk", `{"ask":"records","client":"acme"}`).Items)
	require.Regexp(t, `^sha256:[0-9a-f]{64}$`, shut[1].Title)
	require.Regexp(t, `^sha256:[0-9a-f]{64}$`, shut[1].Custody)
	require.Empty(t, shut[2].Custody)

	papers := each[evidenceItem](t, b.ask("clerk", `{"ask":"evidence","client":"acme"}`).Items)
	require.Equal(t, "ec-1", string(papers[1].Evidence))
	require.Equal(t, []string{"Zhang San", "cabinet 3"}, []string{papers[1].SignedBy, papers[1].Place})
	require.Equal(t, "Acme GmbH", each[clientItem](t, b.ask("clerk", `{"ask":"clients"}`).Items)[0].Name)
	require.Equal(t, "Acme Cosmetics", each[clientItem](t, b.ask("clerk", `{"ask":"clients","at":20}`).Items)[0].Name)

	whole, _ := b.all("auditor", `{"ask":"trail"}`)
	for i, it := range each[trailItem](t, whole) {
		if it.Refusal == nil {
			require.NotContains(t, string(it.Event), `"name":"sha256:`, i)
			require.NotContains(t, string(it.Event), `"reason":"sha256:`, i)
		}
	}
}

// A box that was altered, or that opens something else than its event commits to,
// is not shown, and the log says so without the text.
func TestABoxThatIsNotItsTextsIsNotShown(t *testing.T) {
	b := newBook(t)
	b.given("clerk", "client.register", `{"client":"acme","name":"Acme","contacts":[]}`)
	var said bytes.Buffer
	cfg := b.config()
	cfg.Logger = slog.New(slog.NewTextHandler(&said, nil))
	s := NewService(cfg)
	defer s.Close()
	d := b.documents()[7]
	require.Equal(t, "Acme", s.opened(d, "/name", commitmentOf(t, d.Data)))
	require.Regexp(t, "^sha256:0000", s.opened(d, "/name", "sha256:0000"))
	require.Contains(t, said.String(), "not what its event commits to")
	d.Sealed.Boxes[0].Box[40] ^= 1
	require.Regexp(t, "^sha256:", s.opened(d, "/name", commitmentOf(t, d.Data)))
	require.Contains(t, said.String(), "can't be opened")
	require.NotContains(t, said.String(), "Acme")
}

func commitmentOf(t *testing.T, data []byte) domain.Text {
	_, rest, ok := bytes.Cut(data, []byte(`"sha256:`))
	require.True(t, ok)
	return domain.Text("sha256:" + string(rest[:64]))
}

package commands

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/hex"
	"time"

	"github.com/qtccc/assent/domain"
)

// An idMaker makes the ids of events: UUIDs of version 7 whose time is the event's,
// the rest chance. The zero idMaker is ready. One goroutine owns it.
type idMaker struct {
	chance [1024]byte // made ahead, since asking the system for it costs a call
	left   int
}

func (m *idMaker) next(at time.Time) domain.UUID {
	const need = 10
	if m.left < need {
		rand.Read(m.chance[:]) // never fails: the program ends instead
		m.left = len(m.chance)
	}
	var u [16]byte
	var ms [8]byte
	binary.BigEndian.PutUint64(ms[:], uint64(at.UnixMilli()))
	copy(u[:6], ms[2:])
	copy(u[6:], m.chance[m.left-need:m.left])
	m.left -= need
	u[6] = u[6]&0x0f | 0x70
	u[8] = u[8]&0x3f | 0x80
	var s [36]byte
	hex.Encode(s[0:8], u[0:4])
	s[8] = '-'
	hex.Encode(s[9:13], u[4:6])
	s[13] = '-'
	hex.Encode(s[14:18], u[6:8])
	s[18] = '-'
	hex.Encode(s[19:23], u[8:10])
	s[23] = '-'
	hex.Encode(s[24:36], u[10:16])
	return domain.UUID(s[:])
}

package domain

import (
	"errors"
	"strconv"
	"strings"
	"time"
)

// A Period is an ISO 8601 duration, such as P1Y6M or PT2S. Years and months run by
// the UTC calendar. At most 9,999 years, 9,999 months, 999,999 days and 999,999
// hours, in whatever units they are said, and nothing negative.
type Period struct {
	Years, Months, Days int
	Clock               time.Duration // weeks are days; hours, minutes and seconds
}

var errPeriod = errors.New("a duration is ISO 8601, such as P1Y, P30D or PT2S, of at most 9,999 years")

const (
	mostYears = 9_999 // and months
	mostDays  = 999_999
	mostClock = 999_999 * time.Hour
)

// UnmarshalText refuses what is no ISO 8601 duration, or is too long. What it takes,
// String writes so that it is taken again (FuzzPeriod).
func (p *Period) UnmarshalText(b []byte) error {
	s, ok := strings.CutPrefix(string(b), "P")
	if !ok || s == "" {
		return errPeriod
	}
	var q Period
	units, inClock := "YMWD", false
	for s != "" {
		if !inClock && s[0] == 'T' {
			if s = s[1:]; s == "" {
				return errPeriod
			}
			units, inClock = "HMS", true
		}
		i := strings.IndexAny(s, "YMWDHS")
		if i <= 0 {
			return errPeriod
		}
		j := strings.IndexByte(units, s[i])
		if j < 0 {
			return errPeriod
		}
		if err := q.add(s[:i], s[i], inClock); err != nil {
			return err
		}
		units, s = units[j+1:], s[i+1:]
	}
	*p = q
	return nil
}

// add adds a number of units. Its own bound is that of a sum that can't overflow.
func (p *Period) add(number string, unit byte, inClock bool) error {
	whole, frac, dot := strings.Cut(number, ".")
	n, err := strconv.ParseUint(whole, 10, 32)
	if err != nil || dot && (unit != 'S' || frac == "" || len(frac) > 9) {
		return errPeriod
	}
	v, d := int(n), time.Duration(0)
	switch {
	case unit == 'Y':
		p.Years = v
	case unit == 'M' && !inClock:
		p.Months = v
	case unit == 'W':
		p.Days += 7 * v
	case unit == 'D':
		p.Days += v
	case unit == 'H':
		d = time.Hour
	case unit == 'M':
		d = time.Minute
	case unit == 'S':
		d = time.Second
		ns, err := strconv.ParseUint((frac + "000000000")[:9], 10, 32)
		if err != nil {
			return errPeriod
		}
		p.Clock += time.Duration(ns)
	}
	if d != 0 && n > uint64(mostClock/d) {
		return errPeriod
	}
	if p.Clock += time.Duration(n) * d; p.Years > mostYears || p.Months > mostYears || p.Days > mostDays || p.Clock > mostClock {
		return errPeriod
	}
	return nil
}

// MarshalText writes the period as it is read, in its shortest form.
func (p Period) MarshalText() ([]byte, error) { return []byte(p.String()), nil }

// String is the period in ISO 8601.
func (p Period) String() string {
	var b strings.Builder
	b.WriteByte('P')
	for _, part := range []struct {
		n int
		u byte
	}{{p.Years, 'Y'}, {p.Months, 'M'}, {p.Days, 'D'}} {
		if part.n != 0 {
			b.WriteString(strconv.Itoa(part.n))
			b.WriteByte(part.u)
		}
	}
	if p.Clock != 0 {
		b.WriteByte('T')
		c := p.Clock
		if h := c / time.Hour; h != 0 {
			b.WriteString(strconv.FormatInt(int64(h), 10) + "H")
			c -= h * time.Hour
		}
		if m := c / time.Minute; m != 0 {
			b.WriteString(strconv.FormatInt(int64(m), 10) + "M")
			c -= m * time.Minute
		}
		if c != 0 {
			b.WriteString(strconv.FormatFloat(c.Seconds(), 'f', -1, 64) + "S")
		}
	}
	if b.Len() == 1 {
		return "PT0S"
	}
	return b.String()
}

// lastMoment is the latest time that RFC 3339 can write.
var lastMoment = time.Date(9999, 12, 31, 23, 59, 59, 999_999_999, time.UTC)

// After is the moment a period after t, by the UTC calendar: a month after the
// 31st of January is the last day of February. No moment is after the year 9999: a
// later one could be neither written nor compared by who reads it.
func (p Period) After(t time.Time) time.Time {
	t = t.UTC()
	if p.Years != 0 || p.Months != 0 {
		y, m, d := t.Date()
		first := time.Date(y+p.Years, m+time.Month(p.Months), 1, t.Hour(), t.Minute(), t.Second(), t.Nanosecond(), time.UTC)
		last := first.AddDate(0, 1, -1).Day()
		t = first.AddDate(0, 0, min(d, last)-1)
	}
	if t = t.AddDate(0, 0, p.Days).Add(p.Clock); t.After(lastMoment) {
		return lastMoment
	}
	return t
}

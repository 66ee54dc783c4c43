package main

import (
	"bufio"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// A printer writes tables, which are what people get where programs get JSON. A
// long table comes page by page, under one head. Cells are shown, not obeyed: what
// a terminal would take for an instruction is written out.
type printer struct {
	out    io.Writer
	lang   language // of what is said of reasons
	widths []int    // of the columns so far; nil until the head is written
	trace  tracePart
}

// table writes a page: columns two blanks apart, the last one ragged.
func (p *printer) table(heads []string, rows [][]string) error {
	for _, row := range rows {
		for i := range row {
			row[i] = shown(row[i])
		}
	}
	if p.widths == nil {
		p.widths = make([]int, len(heads))
		rows = append([][]string{heads}, rows...)
	}
	for _, row := range rows {
		for i, cell := range row {
			p.widths[i] = max(p.widths[i], wide(cell))
		}
	}
	w := bufio.NewWriter(p.out)
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			line.WriteString(cell)
			if i < len(row)-1 {
				line.WriteString(strings.Repeat(" ", p.widths[i]-wide(cell)+2))
			}
		}
		w.WriteString(strings.TrimRight(line.String(), " "))
		w.WriteByte('\n')
	}
	return w.Flush()
}

// shown writes out what isn't to be printed as it is: control characters, terminal
// escapes, line breaks, marks that turn the direction of writing, bytes that are
// no UTF-8.
func shown(s string) string {
	if strings.IndexFunc(s, func(r rune) bool { return r == utf8.RuneError || !strconv.IsPrint(r) }) < 0 {
		return s
	}
	b := make([]byte, 0, len(s)+16)
	for len(s) > 0 {
		r, n := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && n == 1:
			b = append(b, `\x`...)
			b = append(b, "0123456789abcdef"[s[0]>>4], "0123456789abcdef"[s[0]&15])
		case strconv.IsPrint(r):
			b = append(b, s[:n]...)
		default:
			q := strconv.QuoteRuneToASCII(r)
			b = append(b, q[1:len(q)-1]...)
		}
		s = s[n:]
	}
	return string(b)
}

// wide is how many columns of a terminal the text takes. Chinese, Japanese and
// Korean characters take two, marks that sit on another character none.
func wide(s string) int {
	n := 0
	for _, r := range s {
		switch {
		case unicode.Is(unicode.Mn, r):
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Hangul),
			r >= 0x3000 && r <= 0x303f, r >= 0xff01 && r <= 0xff60, r >= 0xffe0 && r <= 0xffe6:
			n += 2
		default:
			n++
		}
	}
	return n
}

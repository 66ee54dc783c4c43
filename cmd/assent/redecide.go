package main

import "fmt"

// printRedecided shows each event that differs, then how much was looked at.
func printRedecided(p *printer, items []item) error {
	for _, it := range items {
		if it["differences"] != nil {
			_, err := fmt.Fprintf(p.out, "%s decisions, %s refusals and %s other events derived anew: %s differences\n",
				text(it["decisions"]), text(it["refusals"]), text(it["accepted"]), text(it["differences"]))
			if err != nil {
				return err
			}
			continue
		}
		if _, err := fmt.Fprintf(p.out, "event %s, %s\n", text(it["seq"]), shown(text(it["type"]))); err != nil {
			return err
		}
		for _, which := range []string{"recorded", "derived"} {
			if _, err := fmt.Fprintf(p.out, "  %s: %s\n", which, shown(text(it[which]))); err != nil {
				return err
			}
		}
	}
	return nil
}

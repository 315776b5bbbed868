// Package nearest finds the word that somebody meant who typed another one.
package nearest

import (
	"strings"

	"github.com/agnivade/levenshtein"
)

// prefix is how many letters a word must have for one that begins with it to be
// what was meant.
const prefix = 3

// Of returns the word of known that is nearest to typed, or "" where none is near
// enough to have been meant. Upper and lower case do not matter. A word is near
// when no more than a third of its letters, rounded, are wrong, missing or too
// many, two that changed places counting as one; or when it begins with typed.
func Of(typed string, known ...string) string {
	typed = strings.ToLower(typed)
	best, least := "", -1
	for _, word := range known {
		limit := (len(word) + 1) / 3
		begins := len(typed) >= prefix && strings.HasPrefix(strings.ToLower(word), typed)
		// A text of any length may have been typed: the distance is at least the
		// difference of the lengths, so that is looked at first.
		if !begins && max(len(typed)-len(word), len(word)-len(typed)) > limit {
			continue
		}
		d := distance(typed, strings.ToLower(word))
		if (begins || d <= limit) && (least < 0 || d < least) {
			best, least = word, d
		}
	}
	return best
}

// few is how many words a message may list beside the one that was meant.
const few = 12

// Remedy returns the end of a message about typed: what was meant, where a word is
// near, and what else there is; all that is known where none is.
func Remedy(typed string, known ...string) string {
	all := "there are " + strings.Join(known, ", ")
	switch word := Of(typed, known...); {
	case word == "":
		return all
	case len(known) == 1, len(known) > few:
		return "did you mean " + word + "?"
	default:
		return "did you mean " + word + "? (" + all + ")"
	}
}

// distance is Levenshtein's, but that one pair of neighbours that changed places
// counts as one step, not as two.
func distance(typed, word string) int {
	d := levenshtein.ComputeDistance(typed, word)
	for i := 1; i < len(typed); i++ {
		swapped := typed[:i-1] + typed[i:i+1] + typed[i-1:i] + typed[i+1:]
		d = min(d, 1+levenshtein.ComputeDistance(swapped, word))
	}
	return d
}

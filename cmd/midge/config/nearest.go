package config

// nearest returns the candidate that a typing mistake most likely meant, or "" when none is near: at most one mistake
// for every three letters, one at least.
func nearest(word string, candidates []string) string {
	const wordMax = 40 // nobody mistypes a key of this length into one of ours
	if len(word) > wordMax {
		return ""
	}
	best, bestDistance := "", 0
	for _, c := range candidates {
		d := editDistance(word, c)
		if d <= max(1, max(len(word), len(c))/3) && (best == "" || d < bestDistance) {
			best, bestDistance = c, d
		}
	}
	return best
}

// editDistance counts inserted, deleted and replaced octets and swapped neighbours between a and b
// (Damerau-Levenshtein, each octet touched once).
func editDistance(a, b string) int {
	before, last := make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			replaced := last[j]
			if a[i] != b[j] {
				replaced++
			}
			row[j+1] = min(replaced, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last = last, row
	}
	return last[len(b)]
}

package topic

// Overlap reports whether there is a name that both valid filters match. Here and in Covers the empty name counts as one: "/#" would match it.
func Overlap(f, g string) bool {
	if apart(f, g) || apart(g, f) {
		return false
	}
	for {
		a, restF, moreF := cut(f)
		b, restG, moreG := cut(g)
		switch {
		case a == "#" || b == "#":
			return true
		case a != b && a != "+" && b != "+":
			return false
		case !moreF || !moreG:
			return moreF == moreG || restF == "#" || restG == "#" // "sport/#" also matches "sport"
		}
		f, g = restF, restG
	}
}

// Covers reports whether the valid filter outer matches every name that the valid filter inner matches.
func Covers(outer, inner string) bool {
	if apart(outer, inner) {
		return false
	}
	for {
		a, restA, moreA := cut(outer)
		b, restB, moreB := cut(inner)
		switch {
		case a == "#":
			return true
		case b == "#" || a != b && a != "+":
			return false
		case !moreA || !moreB:
			return moreA == moreB || restA == "#" && !moreB
		}
		outer, inner = restA, restB
	}
}

// apart reports whether f begins with a wildcard, which matches no name that begins with '$', as g does.
func apart(f, g string) bool { return hidden(g) && isWildcard(f[0]) }

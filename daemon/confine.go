package daemon

import "context"

type confinedKey struct{}

// Confine returns a context for what somebody asks who may only use the folders of
// Settings.Dir, IncompleteDir and Roots.
func Confine(ctx context.Context) context.Context {
	return context.WithValue(ctx, confinedKey{}, true)
}

// Confined reports whether ctx is one of Confine.
func Confined(ctx context.Context) bool {
	confined, _ := ctx.Value(confinedKey{}).(bool)
	return confined
}

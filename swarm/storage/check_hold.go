package storage

import "context"

// A holdFunc holds up what hashes, as Config.Hold does. Nil holds nothing up.
type holdFunc = func(ctx context.Context) error

// mayHash waits as long as hold does before more is hashed.
func (c *check) mayHash(ctx context.Context) error {
	if c.hold == nil {
		return nil
	}
	return c.hold(ctx)
}

//go:build !linux

package storage

import "errors"

// linkNew does nothing here: content is copied.
func linkNew(*osDisk, string, *osDisk, string) error { return errors.ErrUnsupported }

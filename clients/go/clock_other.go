//go:build !linux

package leasehold

import "time"

func bootTime() time.Duration { return monotonic() }

package leasehold

import (
	"syscall"
	"time"
	"unsafe"
)

const clockBoottime = 7

// bootTime is CLOCK_BOOTTIME, which goes on while the machine sleeps; the time since start where it cannot be had.
func bootTime() time.Duration {
	var now syscall.Timespec
	_, _, failed := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockBoottime, uintptr(unsafe.Pointer(&now)), 0)
	if failed != 0 {
		return monotonic()
	}
	return time.Duration(now.Nano())
}

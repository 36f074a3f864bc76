internal import CHost

/// The memory of this process.
package enum HostMemory {
  /// Lets go of what start-up alone needed: pages of code and constants, and free memory of the heap.
  ///
  /// The kernel keeps the pages of files in its cache and maps each again with its first use (madvise(2),
  /// MADV_DONTNEED), so that a daemon which waits keeps what it uses. A breakpoint that a debugger has set before is
  /// lost.
  package static func forgetStart() {
    chost_forget_start()
  }
}

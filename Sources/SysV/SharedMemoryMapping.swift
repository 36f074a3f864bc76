import CSysV
public import SystemPackage

/// A segment in this process's memory, from attaching to detaching.
///
/// Detaches when it goes out of scope. It has one owner; put it into a class to share it between threads, and take
/// no pointer beyond its life. The memory outlives `remove()`, and so does what other processes write into it:
/// trust no byte of it for a size, an offset or a count.
public struct SharedMemoryMapping: ~Copyable, @unchecked Sendable {
  /// The segment that is mapped.
  public let segment: SharedMemorySegment
  /// The first byte; at the start of a page.
  public let baseAddress: UnsafeMutableRawPointer
  /// The size of the segment; the rest of the last page is there too, and zero.
  public let byteCount: Int
  /// True when writing is a fault (SIGSEGV).
  public let isReadOnly: Bool

  /// The access to the memory that the process wants.
  public enum Access: Hashable, Sendable {
    /// Needs read permission. The corresponding C constant is `SHM_RDONLY`.
    case readOnly
    /// Needs read and write permission.
    case readWrite
  }

  deinit {
    _ = system_shmdt(baseAddress)
  }

  /// All bytes of the segment.
  public var bytes: UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(start: baseAddress, count: byteCount)
  }

  /// Detaches now and says what came of it, which the end of the scope does not.
  ///
  /// - Throws: `Errno.invalidArgument` when nothing is attached there.
  ///
  /// The corresponding C function is `shmdt`.
  public consuming func detach() throws(Errno) {
    let result = system_shmdt(baseAddress)
    discard self
    try throwingErrno(result)
  }

  /// Makes the kernel find memory for the pages of a range now, so that touching them later cannot fail.
  ///
  /// Content stays as it is. Without this, want of memory is a signal (SIGBUS) at the first touch.
  /// - Parameter range: Offsets in bytes; grows to whole pages.
  /// - Throws: `Errno.invalidArgument` for a range outside the segment or a kernel before Linux 5.14,
  ///   `Errno.noMemory`, `Errno.badAddress` where a touch would be SIGBUS; some pages may then be there.
  ///
  /// The corresponding C function is `madvise`, with `MADV_POPULATE_WRITE` (`MADV_POPULATE_READ` when read-only).
  public func populate(_ range: Range<Int>) throws(Errno) {
    guard range.lowerBound >= 0, range.upperBound <= byteCount else { throw .invalidArgument }
    if range.isEmpty { return }
    let start = range.lowerBound & ~(Int(system_getpagesize()) - 1)
    let advice = isReadOnly ? csysv_madv_populate_read : csysv_madv_populate_write
    let result = system_madvise(baseAddress + start, range.upperBound - start, CInt(advice))
    try throwingErrno(result)
  }
}

extension SharedMemorySegment {
  /// Maps the segment into this process's memory, at an address of the kernel's choice.
  ///
  /// - Throws: `Errno.permissionDenied`, `Errno.invalidArgument` when it is gone, `Errno.noMemory`,
  ///   `Errno.identifierRemoved` when it went meanwhile.
  ///
  /// The corresponding C function is `shmat`, and `shmctl` with `IPC_STAT` for the size.
  public func attach(_ access: SharedMemoryMapping.Access = .readWrite) throws(Errno) -> SharedMemoryMapping {
    guard let address = system_shmat(id, nil, access == .readOnly ? CInt(SHM_RDONLY) : 0) else {
      throw errnoIfSet() ?? .invalidArgument
    }
    do {
      return SharedMemoryMapping(
        segment: self, baseAddress: address, byteCount: try status().byteCount, isReadOnly: access == .readOnly)
    } catch {
      _ = system_shmdt(address)
      throw error
    }
  }
}

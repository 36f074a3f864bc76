import CSysV
public import SystemPackage

/// The contents of this IPC namespace, whatever their owner and mode.
///
/// Sets and segments come and go while one looks: a list is true of each entry at the time it was read.
public enum IPCInventory {
  /// A set and what the kernel told of it.
  public struct SemaphoreSetEntry: Hashable, Sendable, Identifiable {
    /// The set.
    public let set: SemaphoreSet
    /// The kernel's status of it.
    public let status: SemaphoreSet.Status
    /// The number of the set.
    public var id: Int32 { self.set.id }
  }

  /// A segment and what the kernel told of it.
  public struct SharedMemorySegmentEntry: Hashable, Sendable, Identifiable {
    /// The segment.
    public let segment: SharedMemorySegment
    /// The kernel's status of it.
    public let status: SharedMemorySegment.Status
    /// The number of the segment.
    public var id: Int32 { segment.id }
  }

  /// All sets, in the order of the kernel's table.
  ///
  /// One call for each place of the table up to the highest in use; needs no permission, but Linux 4.17.
  ///
  /// - Throws: `Errno.invalidArgument` before Linux 4.17.
  ///
  /// The corresponding C function is `semctl`, with `SEM_INFO` and `SEM_STAT_ANY`.
  public static func semaphoreSets() throws(Errno) -> [SemaphoreSetEntry] {
    try entries(upTo: SemaphoreUsage.current().highestIndex, semid_ds()) { index, data in
      withUnsafeMutablePointer(to: &data) { system_semctl(index, 0, SEM_STAT_ANY, csysv_semun(buf: $0)) }
    } made: {
      SemaphoreSetEntry(set: SemaphoreSet(id: $0), status: .init($1))
    }
  }

  /// All segments, in the order of the kernel's table, with those that are marked for removal.
  ///
  /// One call for each place of the table up to the highest in use; needs no permission, but Linux 4.17.
  ///
  /// - Throws: `Errno.invalidArgument` before Linux 4.17.
  ///
  /// The corresponding C function is `shmctl`, with `SHM_INFO` and `SHM_STAT_ANY`.
  public static func sharedMemorySegments() throws(Errno) -> [SharedMemorySegmentEntry] {
    try entries(upTo: SharedMemoryUsage.current().highestIndex, shmid_ds()) { index, data in
      system_shmctl(index, SHM_STAT_ANY, &data)
    } made: {
      SharedMemorySegmentEntry(segment: SharedMemorySegment(id: $0), status: .init($1))
    }
  }

  private static func entries<Status, Entry>(
    upTo highestIndex: Int, _ empty: Status, _ ask: (CInt, inout Status) -> CInt, made entry: (CInt, Status) -> Entry
  ) throws(Errno) -> [Entry] {
    var entries: [Entry] = []
    for index in 0...CInt(highestIndex) {
      var status = empty
      let id = ask(index, &status)
      switch errnoOrNil(id) {
      case nil: entries.append(entry(id, status))
      // An empty place, or one that was emptied meanwhile.
      case .invalidArgument, .identifierRemoved: continue
      case let error?: throw error
      }
    }
    return entries
  }
}

extension SemaphoreUsage {
  /// Asks the kernel.
  ///
  /// - Throws: What the kernel says, which by its manual is nothing.
  ///
  /// The corresponding C function is `semctl`, with `SEM_INFO`.
  public static func current() throws(Errno) -> SemaphoreUsage {
    let (info, highestIndex) = try seminfo.read(SEM_INFO)
    var usage = SemaphoreUsage()
    (usage.sets, usage.semaphores, usage.highestIndex) = (Int(info.semusz), Int(info.semaem), highestIndex)
    return usage
  }
}

extension SharedMemoryUsage {
  /// Asks the kernel.
  ///
  /// - Throws: What the kernel says, which by its manual is nothing.
  ///
  /// The corresponding C function is `shmctl`, with `SHM_INFO`.
  public static func current() throws(Errno) -> SharedMemoryUsage {
    var info = shm_info()
    let highestIndex = try throwingErrno(system_shmctl(0, SHM_INFO, &info))
    var usage = SharedMemoryUsage()
    (usage.segments, usage.pages, usage.highestIndex) = (Int(info.used_ids), Int(info.shm_tot), Int(highestIndex))
    (usage.residentPages, usage.swappedPages) = (Int(info.shm_rss), Int(info.shm_swp))
    return usage
  }
}

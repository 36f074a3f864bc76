// The hook is there in debug builds only.
#if DEBUG
  import SysV
  import SystemPackage
  import Testing

  /// One way into the kernel: what it calls, and how it shows an error.
  struct Entrance: Sendable, CustomTestStringConvertible {
    let call: Syscall
    let testDescription: String
    let enter: @Sendable () throws(Errno) -> Void

    init(_ call: Syscall, _ name: String, _ enter: @escaping @Sendable () throws(Errno) -> Void) {
      self.call = call
      testDescription = "\(name) by \(call)"
      self.enter = enter
    }
  }

  private let set = SemaphoreSet(id: 0x7fff_fff0)
  private let segment = SharedMemorySegment(id: 0x7fff_fff0)
  private let steps: [SemaphoreOperation] = [.add(1, to: 0)]
  private let someone = IPCPermissions(key: .private, owner: 0, group: 0, creator: 0, creatorGroup: 0, mode: [])

  private func rethrow(_ error: Errno?) throws(Errno) {
    if let error { throw error }
  }

  private func withMapping(_ body: (borrowing SharedMemoryMapping) throws(Errno) -> Void) throws(Errno) {
    let segment = try SharedMemorySegment.create(byteCount: 4096)
    defer { try? segment.remove() }
    try body(try segment.attach())
  }

  private let semaphoreEntrances: [Entrance] = [
    Entrance(.semget, "create") { () throws(Errno) in _ = try SemaphoreSet.create(count: 1) },
    Entrance(.semget, "open") { () throws(Errno) in _ = try SemaphoreSet.open(key: .random()) },
    Entrance(.semget, "openOrCreate") { () throws(Errno) in
      _ = try SemaphoreSet.openOrCreate(key: .random(), count: 1)
    },
    Entrance(.semop, "operate") { () throws(Errno) in try set.operate(steps, retryOnInterrupt: false) },
    Entrance(.semop, "operate on a span") { () throws(Errno) in try rethrow(set.operate(steps.span)) },
    Entrance(.semop, "operate on a buffer") { () throws(Errno) in
      try rethrow(steps.withUnsafeBufferPointer { set.operate($0) })
    },
    Entrance(.semtimedop, "operate") { () throws(Errno) in
      try set.operate(steps, timeout: .seconds(1), retryOnInterrupt: false)
    },
    Entrance(.semtimedop, "operate on a span") { () throws(Errno) in
      try rethrow(set.operate(steps.span, timeoutNanoseconds: 1))
    },
    Entrance(.semctl, "remove") { () throws(Errno) in try set.remove() },
    Entrance(.semctl, "status") { () throws(Errno) in _ = try set.status() },
    Entrance(.semctl, "setPermissions") { () throws(Errno) in try set.setPermissions(someone) },
    Entrance(.semctl, "setMode") { () throws(Errno) in try set.setMode([]) },
    Entrance(.semctl, "value") { () throws(Errno) in _ = try set.value(of: 0) },
    Entrance(.semctl, "setValue") { () throws(Errno) in try set.setValue(1, of: 0) },
    Entrance(.semctl, "values") { () throws(Errno) in _ = try set.values() },
    Entrance(.semctl, "setValues") { () throws(Errno) in try set.setValues([]) },
    Entrance(.semctl, "lastProcessID") { () throws(Errno) in _ = try set.lastProcessID(of: 0) },
    Entrance(.semctl, "waiterCount") { () throws(Errno) in _ = try set.waiterCount(of: 0) },
    Entrance(.semctl, "zeroWaiterCount") { () throws(Errno) in _ = try set.zeroWaiterCount(of: 0) },
    Entrance(.semctl, "limits") { () throws(Errno) in _ = try SemaphoreLimits.current() },
    Entrance(.semctl, "usage") { () throws(Errno) in _ = try SemaphoreUsage.current() },
    Entrance(.semctl, "inventory") { () throws(Errno) in _ = try IPCInventory.semaphoreSets() },
  ]

  private let otherEntrances: [Entrance] = [
    Entrance(.shmget, "create") { () throws(Errno) in _ = try SharedMemorySegment.create(byteCount: 1) },
    Entrance(.shmget, "open") { () throws(Errno) in _ = try SharedMemorySegment.open(key: .random()) },
    Entrance(.shmget, "openOrCreate") { () throws(Errno) in
      _ = try SharedMemorySegment.openOrCreate(key: .random(), byteCount: 1)
    },
    Entrance(.shmat, "attach") { () throws(Errno) in try segment.attach().detach() },
    Entrance(.shmdt, "detach") { () throws(Errno) in
      let segment = try SharedMemorySegment.create(byteCount: 4096)
      defer { try? segment.remove() }
      try segment.attach().detach()
    },
    Entrance(.madvise, "populate") { () throws(Errno) in
      try withMapping { mapping throws(Errno) in try mapping.populate(0..<1) }
    },
    Entrance(.shmctl, "remove") { () throws(Errno) in try segment.remove() },
    Entrance(.shmctl, "lock") { () throws(Errno) in try segment.lock() },
    Entrance(.shmctl, "unlock") { () throws(Errno) in try segment.unlock() },
    Entrance(.shmctl, "status") { () throws(Errno) in _ = try segment.status() },
    Entrance(.shmctl, "setPermissions") { () throws(Errno) in try segment.setPermissions(someone) },
    Entrance(.shmctl, "limits") { () throws(Errno) in _ = try SharedMemoryLimits.current() },
    Entrance(.shmctl, "usage") { () throws(Errno) in _ = try SharedMemoryUsage.current() },
    Entrance(.shmctl, "inventory") { () throws(Errno) in _ = try IPCInventory.sharedMemorySegments() },
    Entrance(.ftok, "fileToken") { () throws(Errno) in _ = try IPCKey.fileToken(path: "/", project: 1) },
    Entrance(.pidfd_open, "a handle") { () throws(Errno) in _ = try ProcessHandle(processID: 1) },
    Entrance(.poll, "hasEnded") { () throws(Errno) in _ = try ProcessHandle(processID: 1).hasEnded() },
    Entrance(.getsockopt, "a peer's handle") { () throws(Errno) in
      _ = try ProcessHandle(peerOf: FileDescriptor(rawValue: 0), processID: 0)
    },
    Entrance(.openat2, "beneath") { () throws(Errno) in
      _ = try FileDescriptor(rawValue: -1).open(beneath: "a", FileDescriptor.justNaming)
    },
    Entrance(.getxattr, "accessList") { () throws(Errno) in _ = try FileDescriptor(rawValue: -1).accessList() },
    Entrance(.pidfd_send_signal, "send") { () throws(Errno) in
      try ProcessHandle(processID: 1).send(signal: 0)
    },
  ]

  private let entrances = semaphoreEntrances + otherEntrances

  @Suite("A forced error")
  struct ForcedErrnoTests {
    @Test(arguments: entrances, [.noMemory, .interrupted, .permissionDenied, Errno(rawValue: 4095)] as [Errno])
    func isThrownAsItIs(entrance: Entrance, error: Errno) {
      let forced = ForcedErrno(entrance.call, error, times: .always)
      ForcedErrno.$current.withValue(forced) {
        #expect(throws: error) { try entrance.enter() }
      }
      #expect(forced.calls.contains(entrance.call))
    }

    /// `close` has no entrance: its error, at the end of a scope, is nobody's.
    @Test func hasAnEntranceForEveryCallButClose() {
      #expect(Set(entrances.map(\.call)) == Set(Syscall.allCases).subtracting([.close]))
    }

    @Test func holdsAsOftenAsAskedAndOnlyHere() throws {
      try withSet { set throws in
        let forced = ForcedErrno(.semctl, .noMemory, times: .count(2))
        ForcedErrno.$current.withValue(forced) {
          #expect(throws: Errno.noMemory) { try set.value(of: 0) }
          #expect(set.operate(steps.span) == nil)
          #expect(throws: Errno.noMemory) { try set.value(of: 0) }
          #expect(throws: Never.self) { try set.value(of: 0) }
        }
        #expect(forced.calls == [.semctl, .semop, .semctl, .semctl])
      }
    }

    @Test(arguments: [nil, .seconds(60)] as [Duration?])
    func ofAnInterruptIsRetriedUntilItIsDone(timeout: Duration?) throws {
      try withSet { set throws in
        let call: Syscall = timeout == nil ? .semop : .semtimedop
        let forced = ForcedErrno(call, .interrupted, times: .count(3))
        try ForcedErrno.$current.withValue(forced) { try set.operate(steps, timeout: timeout) }
        #expect(forced.calls == Array(repeating: call, count: 4))
        #expect(try set.value(of: 0) == 1)
      }
    }

    @Test func ofInterruptsWithoutEndStopsAtTheTimeout() {
      let start = SuspendingClock.now
      ForcedErrno.$current.withValue(ForcedErrno(.semtimedop, .interrupted, times: .always)) {
        #expect(throws: Errno.resourceTemporarilyUnavailable) { try set.operate(steps, timeout: .milliseconds(3)) }
      }
      #expect(SuspendingClock.now - start >= .milliseconds(3))
    }

    @Test func afterAttachingDetachesAgain() throws {
      try withSegment { segment throws in
        let forced = ForcedErrno(.shmctl, .noMemory)
        ForcedErrno.$current.withValue(forced) {
          #expect(throws: Errno.noMemory) { try segment.attach().detach() }
        }
        #expect(forced.calls == [.shmat, .shmctl, .shmdt])
        #expect(try segment.status().attachCount == 0)
      }
    }

    @Test(arguments: [.semctl, .shmctl] as [Syscall], [.invalidArgument, .identifierRemoved] as [Errno])
    func thatAPlaceIsEmptyIsNoErrorOfTheInventory(call: Syscall, error: Errno) throws {
      try withSet { _ throws in
        try withSegment { _ throws in
          try ForcedErrno.$current.withValue(ForcedErrno(call, error, skipping: 1, times: .always)) { () throws in
            #expect(try IPCInventory.semaphoreSets().isEmpty == (call == .semctl))
            #expect(try IPCInventory.sharedMemorySegments().isEmpty == (call == .shmctl))
          }
        }
      }
    }

    @Test(arguments: [.semctl, .shmctl] as [Syscall])
    func ofAPlaceThatCannotBeReadEndsTheInventory(call: Syscall) {
      ForcedErrno.$current.withValue(ForcedErrno(call, .noMemory, skipping: 1)) {
        #expect(throws: Errno.noMemory) {
          _ = try IPCInventory.semaphoreSets()
          _ = try IPCInventory.sharedMemorySegments()
        }
      }
    }
  }
#endif

// The words of the refusals that only native locks know. Each says what to do.

extension Ledger {
  static func bindRefused(_ failure: BindFailure, _ key: LockKey, _ native: NativeRequest) -> LeaseholdError {
    var facts: [LeaseholdError.Fact] = [("key", .text(key.text))]
    switch failure {
    case .noSet(let errno):
      facts.append(("errno", .text(errno)))
      return LeaseholdError(
        .noSuchSet,
        "There is no semaphore set for '\(key)' in this IPC namespace; an acquire or PUT /locks/{key} makes one, "
          + "for sysv:KEY.N with create=1 alone.", facts: facts)
    case .otherSize(let found):
      var takesSize = false
      if case .apache = key.native { takesSize = true }
      facts += [
        ("errno", .text("EINVAL")), ("nsems", .number(Int64(found))), ("asked_nsems", .number(Int64(native.count))),
      ]
      return LeaseholdError(
        .nsemsMismatch,
        "The set of '\(key)' has \(found) semaphores, not \(native.count); "
          + (takesSize
            ? "give nsems=\(found), or remove the set when nobody uses it."
            : "it is not of this kind: use another key, or remove the set when nobody uses it."),
        facts: facts)
    case .noPath(let errno):
      facts.append(("errno", .text(errno)))
      return LeaseholdError(
        .noSuchPath, "The file of '\(key)' is not there and cannot be made (\(errno)); make its folder first.",
        facts: facts)
    case .pathDenied(let errno):
      facts.append(("errno", .text(errno)))
      return LeaseholdError(
        .permissionDenied,
        "The file of '\(key)' may not be found or made with your rights (\(errno)): "
          + (errno == "ELOOP"
            ? "there is a link in its path, and the service follows none for other users than its own; name the file "
              + "itself."
            : "see the owners, modes and access control lists of the file and of its folders, which you must be "
              + "allowed to search."),
        facts: facts)
    case .pathNotAllowed(let roots):
      return LeaseholdError(
        .pathNotAllowed,
        "The path of '\(key)' leads outside the folders that this service may use (--path-roots): \(roots).",
        facts: facts + [("roots", .text(roots))])
    case .ownSet:
      return LeaseholdError(
        .kindMismatch,
        "'\(key)' leads to a set in which this service keeps its own locks; use their plain names instead.",
        facts: facts)
    case .kernel(let failure) where failure.limit?.name == .semaphoresPerSet:
      return LeaseholdError(
        .outOfRange,
        "A set here has at most \(failure.limit?.value ?? 0) semaphores (SEMMSL); ask for fewer, or raise it.",
        facts: facts + [
          ("parameter", .text("nsems")), ("errno", .text(failure.errno.name)), ("limit", .text("SEMMSL")),
          ("minimum", .number(1)), ("maximum", .number(Int64(failure.limit?.value ?? 0))),
        ])
    case .kernel(let failure): return kernelRefused(failure, doing: "open the set of '\(key)'")
    }
  }

  static func noSuchNumber(_ number: Int, of bound: BoundSet) -> LeaseholdError {
    LeaseholdError(
      .outOfRange,
      "Set \(bound.id.set) has no semaphore \(number); give 0...\(bound.userCount - 1).",
      facts: [
        ("parameter", .text("sem")), ("value", .text("\(number)")), ("errno", .text("EFBIG")),
        ("minimum", .number(0)), ("maximum", .number(Int64(bound.userCount - 1))),
      ])
  }

  static func otherDialect(_ lock: Lock, _ key: LockKey) -> LeaseholdError {
    LeaseholdError(
      .kindMismatch,
      "The semaphore of '\(key)' is in use as '\(lock.key)'; use that name, or wait until nobody uses it.",
      facts: [("key", .text(lock.key.text))])
  }

  static func inUseNatively(_ key: LockKey, _ users: String) -> LeaseholdError {
    LeaseholdError(
      .inUse, "The set of '\(key)' is in use: \(users). End them first, or give force=true.",
      facts: [("key", .text(key.text))])
  }

  /// The error of a counter without room for another lease besides those that are out and the native programs.
  static func countFull(_ lock: Lock, _ counter: LeaseCounter, value: Int) -> LeaseholdError {
    let (units, natives) = (lock.units(in: counter), max(0, lock.natives(in: counter, value: value)))
    let whose = lock.place.isPHP ? "handles of PHP" : "holders of native programs"
    return LeaseholdError(
      .nativeCountFull,
      "Semaphore \(counter.semaphore) of set \(lock.set.set), which counts who uses '\(lock.key)', is full: "
        + "\(natives) \(whose) and \(units) units on leases, which count \(counter.weight) each, of "
        + "\(LeaseCounter.valueMax) (SEMVMX), \(LeaseCounter.roomForNatives) of which are kept for native "
        + "programs. Ask with wait=10s to queue, or release some.",
      facts: [
        ("key", .text(lock.key.text)), ("errno", .text("ERANGE")), ("limit", .text("SEMVMX")),
        ("value", .number(Int64(LeaseCounter.valueMax))), ("native_count", .number(Int64(natives))),
        ("units_out", .number(Int64(units))),
      ], retryAfter: .seconds(1))
  }

  /// The error of a counter with so many natives that a crash could leave a lease in doubt.
  static func tooManyNatives(_ lock: Lock, _ counter: LeaseCounter, _ natives: Int) -> LeaseholdError {
    let whose = lock.place.isPHP ? "handles of PHP are open on" : "native programs hold"
    return LeaseholdError(
      .tooManyNativeHandles,
      "\(natives) \(whose) '\(lock.key)'; leases are granted beside at most \(LeaseCounter.roomForNatives), so that "
        + "after a crash units can be told from them. Ask with wait=10s to queue, or close some.",
      facts: [
        ("key", .text(lock.key.text)), ("limit", .text("native-handles")),
        ("value", .number(Int64(LeaseCounter.roomForNatives))), ("native_count", .number(Int64(natives))),
      ], retryAfter: .seconds(1))
  }

  static func neverCounted(_ count: Int, unitsMax: Int) -> LeaseholdError {
    LeaseholdError(
      .countExceedsLimit,
      "count=\(count) can never be had: the semaphore that counts a php: set's users has room for \(unitsMax) units on "
        + "leases; ask for fewer.",
      facts: [("count", .number(Int64(count))), ("limit", .number(Int64(unitsMax)))])
  }

  /// The error of a semaphore in which a lock keeps its books: it is no lock of its own, and no caller writes it.
  static func books(_ number: Int, of set: Int32, _ lock: LockKey?) -> LeaseholdError {
    let whose = lock.map { "of '\($0)'" } ?? "of this service"
    return LeaseholdError(
      .ownSet,
      "Semaphore \(number) of set id:\(set) keeps the books \(whose): who writes it lets somebody in too many or "
        + "stops everybody. Use "
        + (lock.map { "'\($0)'" } ?? "the path: lock")
        + ", or, to set the books right, PUT its value with force=true, which ends the leases that it counts.",
      facts: [("set", .text("id:\(set)")), ("semaphore", .number(Int64(number)))])
  }

  static func endlessLease() -> LeaseholdError {
    LeaseholdError(
      .invalidParameter, "This lease was taken with undo=false: it has no deadline and needs no renewal.")
  }
}

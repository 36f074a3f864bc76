// The words of the refusals that only native locks know. Each says what to do.

extension Ledger {
  static func bindRefused(_ failure: BindFailure, _ key: LockKey, _ native: NativeRequest) -> LeaseholdError {
    var facts: [(name: String, value: LeaseholdError.Value)] = [("key", .text(key.text))]
    switch failure {
    case .noSet(let errno):
      facts.append(("errno", .text(errno)))
      return LeaseholdError(
        .noSuchSet,
        "There is no semaphore set for '\(key)' in this IPC namespace; an acquire or PUT /locks/{key} makes one, "
          + "except for sysv: names, whose set must exist.", facts: facts)
    case .otherSize(let found):
      facts += [
        ("errno", .text("EINVAL")), ("nsems", .number(Int64(found))), ("asked_nsems", .number(Int64(native.count))),
      ]
      return LeaseholdError(
        .nsemsMismatch,
        "The set of '\(key)' has \(found) semaphores, not \(native.count); "
          + (native.dialect == .apache
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
            : "see the owners and modes of the file and of its folders, which you must be allowed to search."),
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
    case .kernel(let failure) where failure.limit == "SEMMSL":
      return LeaseholdError(
        .outOfRange, "A set here has at most \(failure.value ?? 0) semaphores (SEMMSL); ask for fewer, or raise it.",
        facts: facts + [
          ("parameter", .text("nsems")), ("errno", .text(failure.errno)), ("limit", .text("SEMMSL")),
          ("minimum", .number(1)), ("maximum", .number(Int64(failure.value ?? 0))),
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

  static func takeRefused(_ failure: KernelFailure, _ lock: Lock) -> LeaseholdError {
    guard failure.errno == "ERANGE", lock.bank == nil else { return kernelRefused(failure, doing: "take the lock") }
    let most =
      switch lock.layout {
      case .php: PHPDialect.unitsMaximum
      case .apache: ApacheDialect.unitsMaximum
      case .named, .counter, .operations: Limits.slots
      }
    return LeaseholdError(
      .ledgerFull,
      "The semaphores of '\(lock.key)' have room for \(most) units out on leases, and \(lock.unitsOut) are out; "
        + "release some.",
      facts: [
        ("errno", .text("ERANGE")), ("limit", .text("units-per-native-lock")), ("value", .number(Int64(most))),
      ], retryAfter: .seconds(1))
  }

  static func tooManyHandles(_ lock: Lock) -> LeaseholdError {
    LeaseholdError(
      .ledgerFull,
      "More than \(PHPDialect.handlesMaximum) PHP handles are open on '\(lock.key)'; leases could not be told from "
        + "them. Close some.",
      facts: [("limit", .text("php-handles")), ("value", .number(Int64(PHPDialect.handlesMaximum)))],
      retryAfter: .seconds(1))
  }

  static func endlessLease() -> LeaseholdError {
    LeaseholdError(
      .invalidParameter, "This lease was taken with undo=false: it has no deadline and needs no renewal.")
  }
}

// What the kernel says about semaphore sets, in words that say what to do: the one place that turns errno into errors.

import Leasehold
import SysV
import SystemPackage

extension LocalLockService {
  /// Why the kernel did not do something with a set that a caller named.
  ///
  /// `what` completes "does not let this service ... it".
  func explain(_ error: Errno, _ address: IPCAddress, _ what: String) -> LeaseholdError {
    let name = address.text
    let facts: [LeaseholdError.Fact] = [("set", .text(name)), ("errno", .text(error.label))]
    switch error {
    case .noSuchFileOrDirectory, .invalidArgument, .identifierRemoved:
      return LeaseholdError(
        .noSuchSet, "This IPC namespace has no semaphore set \(name); GET /semaphores lists those it has.", facts: facts
      )
    case .permissionDenied:
      return LeaseholdError(
        .permissionDenied,
        "The mode of semaphore set \(name) does not let this service \(what) it; GET /semaphores shows its owner and "
          + "mode.",
        facts: facts)
    case .notPermitted:
      return LeaseholdError(
        .permissionDenied,
        "Only the owner and the creator of semaphore set \(name), or root, may \(what) it; GET /semaphores shows both.",
        facts: facts)
    case .noSpace, .noMemory: return .outOfRoom(error)
    default:
      return LeaseholdError(
        .internalError, "The kernel does not \(what) set \(name) (\(error.label)).", facts: facts)
    }
  }

  /// Why a list of operations was not done.
  func explain(_ error: Errno, _ operation: RawOperation, at now: MonotonicInstant) -> LeaseholdError {
    let (request, info) = (operation.request, operation.info)
    let facts: [LeaseholdError.Fact] = [("set", .text(request.address.text)), ("errno", .text(error.label))]
    switch error {
    case .resourceTemporarilyUnavailable: return busy(.locked, operation, at: now)
    case .fileTooLarge:
      return LeaseholdError(
        .outOfRange,
        "Set \(request.address.text) has the semaphores 0...\(info.status.count - 1); 'ops' names another.",
        facts: facts + [
          ("parameter", .text("ops")), ("minimum", .number(0)), ("maximum", .number(Int64(info.status.count - 1))),
          ("nsems", .number(Int64(info.status.count))),
        ])
    case .argListTooLong:
      let operationsMax = (try? SemaphoreLimits.current().operationsPerCall) ?? 0
      return LeaseholdError(
        .outOfRange, "One request does at most \(operationsMax) operations here (SEMOPM); give fewer 'ops'.",
        facts: facts + [
          ("parameter", .text("ops")), ("minimum", .number(1)), ("maximum", .number(Int64(operationsMax))),
          ("limit", .text("SEMOPM")),
        ])
    case .outOfRange:
      let valueMax = (try? SemaphoreLimits.current().valueMax) ?? 32_767
      return LeaseholdError(
        .kernelLimit, "A semaphore's value would pass \(valueMax) (SEMVMX), so nothing was done; add less.",
        facts: facts + [("limit", .text("SEMVMX")), ("value", .number(Int64(valueMax)))])
    default: return explain(error, request.address, "operate on")
    }
  }
}

extension LeaseholdError {
  /// A semaphore that the set does not have.
  static func noSuchSemaphore(
    _ number: Int, _ info: SemaphoreSetInfo, _ address: IPCAddress
  ) -> LeaseholdError {
    LeaseholdError(
      .noSuchSemaphore,
      "Set \(address.text) has \(info.status.count) semaphores, 0...\(info.status.count - 1); there is no "
        + "number \(number).",
      facts: [
        ("set", .text(address.text)), ("errno", .text("EINVAL")), ("nsems", .number(Int64(info.status.count))),
      ])
  }

  /// A set of this service, which only the service changes.
  static func ownSet(_ info: SemaphoreSetInfo) -> LeaseholdError {
    LeaseholdError(
      .ownSet,
      info.role == .control
        ? "Set id:\(info.id) guards this service against a second daemon; stop the service before you change it."
        : "Set id:\(info.id) holds locks of this service; use /locks and /leases, or make a set of your own.",
      facts: [("set", .text("id:\(info.id)"))])
  }

  /// The kernel would refuse this user.
  ///
  /// - Parameter kind: `set` or `segment`.
  static func notYours(_ kind: String, _ name: String, _ access: IPCAccess, list: String) -> LeaseholdError {
    let (errno, what) =
      if case .control = access { ("EPERM", "Only its owner, its creator and root may do this to") } else {
        ("EACCES", "The mode bits do not let you do this with")
      }
    return LeaseholdError(
      .permissionDenied, "\(what) \(kind) \(name); GET \(list) shows its owner and mode.",
      facts: [(kind, .text(name)), ("errno", .text(errno))])
  }

  /// More or fewer semaphores than the set has.
  static func otherCount(_ asked: Int, _ info: SemaphoreSetInfo, _ what: String, errno: String) -> LeaseholdError {
    LeaseholdError(
      .nsemsMismatch, "Set id:\(info.id) has \(info.status.count) semaphores, not \(asked); \(what).",
      facts: [
        ("set", .text("id:\(info.id)")), ("errno", .text(errno)), ("nsems", .number(Int64(info.status.count))),
        ("asked_nsems", .number(Int64(asked))),
      ])
  }

  /// A number of semaphores that the kernel never gives a set.
  static func impossibleCount(_ asked: Int, perSetMax: Int) -> LeaseholdError {
    LeaseholdError(
      .outOfRange, "'nsems' must be 1...\(perSetMax) for a new set (SEMMSL).",
      facts: [
        ("parameter", .text("nsems")), ("value", .text("\(asked)")), ("minimum", .number(1)),
        ("maximum", .number(Int64(perSetMax))), ("errno", .text("EINVAL")), ("limit", .text("SEMMSL")),
      ])
  }

  /// The error of a kernel that has no room for a set or a semaphore.
  static func outOfRoom(_ error: Errno) -> LeaseholdError {
    var facts: [Fact] = [("errno", .text(error.label))]
    guard let limit = KernelLimit(error, semaphores: 0) else {
      facts += [("limit", .text("memory")), ("value", .number(0))]
      return LeaseholdError(
        .kernelLimit, "The kernel has no memory for this (\(error.label)); free some, and try again.", facts: facts)
    }
    let (name, what) = (limit.name.rawValue, limit.name == .sets ? "sets" : "semaphores")
    facts += [("limit", .text(name)), ("value", .number(Int64(limit.value)))]
    return LeaseholdError(
      .kernelLimit,
      "The kernel has room for \(limit.value) \(what) (\(name)); remove some (ipcs -s, ipcrm), or raise it (sysctl "
        + "kernel.sem).",
      facts: facts)
  }

  /// Leases or waiters stand on the semaphores.
  static func inUse(_ info: SemaphoreSetInfo, refs: [String], waiters: Int, _ what: String) -> LeaseholdError {
    return LeaseholdError(
      .inUse,
      "Set id:\(info.id) has leases (\(refs.count)) or waiters (\(waiters)) on it; wait until they are gone, or give "
        + "force=true to \(what).",
      facts: [
        ("set", .text("id:\(info.id)")), ("leases", .texts(Array(refs.prefix(LockSnapshot.listed)))),
        ("waiters", .number(Int64(waiters))),
      ])
  }

  /// The set went while a request waited on it.
  static func setRemoved(
    _ address: IPCAddress, _ error: Errno, at now: MonotonicInstant
  ) -> LeaseholdError {
    .gone(
      .setRemoved, "Set \(address.text) was removed while you waited; nothing was done. Make it anew, or ask who did.",
      key: nil, ref: nil, reason: .setRemoved, endedAt: now.nanoseconds,
      facts: [("set", .text(address.text)), ("errno", .text(error.label))])
  }
}

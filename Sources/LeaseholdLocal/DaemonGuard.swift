import Leasehold
import SysV
import SystemPackage

/// Sees to it that one daemon at a time serves an IPC namespace.
///
/// A semaphore taken with SEM_UNDO as the first undo operation of the process and never touched again: the kernel gives
/// it back when the process dies, after every other undo, so the next daemon finds a settled state.
struct DaemonGuard: Sendable {
  /// The set of the control key.
  let set: SemaphoreSet

  /// An odd number, so that a set of another program under the same key is noticed.
  private static let semaphoreCount = 3
  private static let take: [SemaphoreOperation] = [.wait(forZero: 0), .add(1, to: 0, .undo)]

  /// Finds the guard, or makes it.
  init(key: Int32) throws(LocalServiceError) {
    set = try Self.openOrMake(key)
    let count: Int
    do {
      count = try set.status().count
    } catch {
      throw Self.explain(key, error)
    }
    guard count == Self.semaphoreCount else {
      throw .foreignControlSet(key: key, id: set.id, semaphoreCount: count)
    }
  }

  private static func openOrMake(_ key: Int32) throws(LocalServiceError) -> SemaphoreSet {
    do {
      return try SemaphoreSet.open(key: IPCKey(rawValue: key), mode: .ownerReadWrite)
    } catch .noSuchFileOrDirectory {
    } catch {
      throw explain(key, error)
    }
    do {
      return try SemaphoreSet.openOrCreate(key: IPCKey(rawValue: key), count: semaphoreCount, mode: .ownerReadWrite)
    } catch {
      throw explain(key, error)
    }
  }

  private static func explain(_ key: Int32, _ errno: Errno) -> LocalServiceError {
    guard errno == .permissionDenied else { return .kernel(what: "open the guard (semget)", errno: errno) }
    let owner = (try? IPCInventory.semaphoreSets())?.first { $0.status.permissions.key.rawValue == key }
    return .notPermitted(
      what: "the guard", key: key, owner: owner?.status.permissions.owner, errno: errno)
  }

  /// Takes the guard now, or answers the process that has it.
  func tryTake() throws(LocalServiceError) -> Int32? {
    do {
      try set.operate(Self.take, timeout: .zero)
      return nil
    } catch .resourceTemporarilyUnavailable {
      return (try? set.lastProcessID(of: 0)) ?? 0
    } catch {
      throw .kernel(what: "take the guard (semop)", errno: error)
    }
  }

  /// Waits for the guard.
  ///
  /// Looks every second whether to go on.
  func waitAndTake(while goOn: () -> Bool) throws(LocalServiceError) {
    while goOn() {
      do {
        try set.operate(Self.take, timeout: .seconds(1))
        return
      } catch .resourceTemporarilyUnavailable {
        continue
      } catch {
        throw .kernel(what: "wait for the guard (semop)", errno: error)
      }
    }
    throw .canceled
  }

  /// Whether the set is gone: somebody removed it (ipcrm -s), and a second daemon could begin beside this one.
  var isGone: Bool {
    do {
      _ = try set.value(of: 0)
      return false
    } catch {
      return error == .invalidArgument || error == .identifierRemoved
    }
  }

  /// Makes the guard anew and takes it; `nil` when another daemon was faster.
  static func retake(key: Int32) -> DaemonGuard? {
    do {
      let fresh = try DaemonGuard(key: key)
      return try fresh.tryTake() == nil ? fresh : nil
    } catch {
      return nil
    }
  }

  /// Lets it go before the process ends; used by tests that run several daemons in one process.
  func release() { try? set.operate([.subtract(1, from: 0, .undo)], timeout: .zero) }
}

import SysV
public import SystemPackage

/// Why the lock service of this host could not begin.
///
/// Each says what to do.
public enum LocalServiceError: Error, CustomStringConvertible, Sendable {
  /// Another daemon serves this IPC namespace.
  case alreadyServed(pid: Int32, description: String)
  /// The daemon whose guard was removed does not end.
  case stillRunning(pid: Int32)
  /// The key of the guard belongs to another program.
  case foreignControlSet(key: Int32, id: Int32, semaphoreCount: Int)
  /// The kernel does not let this user at what carries the key of the guard or the ledger.
  case notPermitted(OwnObject, key: Int32, owner: UInt32?, errno: Errno)
  /// The object with the key of the guard or the ledger was made by another user, or others may use it.
  case notOurs(OwnObject, key: Int32, owner: UInt32, creator: UInt32, mode: UInt32)
  /// The ledger was written by another version.
  case foreignLedger(key: Int32, id: Int32, found: UInt64, understood: UInt64)
  /// The ledger's key belongs to a segment that is no ledger.
  case notALedger(key: Int32, id: Int32)
  /// The kernel would destroy the ledger with the daemon.
  case segmentsAreDestroyed
  /// A limit of the kernel, such as SHMMAX: what it is, and what it must be at least where that is known.
  case kernelLimit(what: String, limit: StartLimit, errno: Errno)
  /// The mark of fences cannot be read, or not be kept.
  case stateDirectory(FenceFileError)
  /// There cannot be one more thread.
  case noThread
  /// A set that may hold locks of this service cannot be read, or, without a number, the list of sets.
  case unreadableSet(id: Int32?, errno: Errno)
  /// Something unexpected of the kernel.
  case kernel(what: String, errno: Errno)
  /// The wait for the other daemon's end was called off.
  case canceled

  /// One sentence or two for a person.
  public var description: String {
    switch self {
    case .alreadyServed(let pid, let description):
      "another leasehold daemon (pid \(pid)" + (description.isEmpty ? "" : ", \(description)")
        + ") serves this IPC namespace; use it, stop it, or start "
        + "this one with --standby to wait for its turn"
    case .stillRunning(let pid):
      "the guard was free, but the leasehold daemon that had it (pid \(pid)) still runs: somebody removed its guard, "
        + "and it does not end; end it (kill -9 \(pid)), its leases stay"
    case .foreignControlSet(let key, let id, let count):
      "semaphore set \(id) with key \(IPCKey(rawValue: key)) has \(count) semaphores and is not "
        + "Leasehold's guard; find its owner (ipcs -s -i \(id)), or give another --control-key"
    case .notPermitted(let object, let key, let owner, let errno):
      "\(object.rawValue) with key \(IPCKey(rawValue: key)) belongs to "
        + (owner.map { "uid \($0)" } ?? "another user")
        + " (\(errno)); run as that user, or in an IPC namespace of your own, or, if no daemon of that user is wanted "
        + "here, remove it as that user or root: \(object.removal(key))"
    case .notOurs(let object, let key, let owner, let creator, let mode):
      "\(object.rawValue) with key \(IPCKey(rawValue: key)) was made by uid \(creator), belongs to uid \(owner) and "
        + "has mode 0\(String(mode, radix: 8)); this daemon, of uid \(HostFacts.uid), uses only what it made itself "
        + "with mode 0600. Run as that user, or, if no daemon of that user is wanted here, remove it"
        + (object == .ledger ? ", with all leases in it" : "") + ": \(object.removal(key))"
    case .foreignLedger(let key, let id, let found, let understood):
      "the ledger (segment \(id), key \(IPCKey(rawValue: key))) has layout \(found), this "
        + "version understands \(understood); start the version that wrote it, or give all its leases up with: "
        + "ipcrm -m \(id)"
    case .notALedger(let key, let id):
      "segment \(id) with key \(IPCKey(rawValue: key)) is not a Leasehold ledger; find its owner "
        + "(ipcs -m -i \(id)), or give another --control-key; if a daemon was killed while it made it, remove it: "
        + "ipcrm -m \(id)"
    case .segmentsAreDestroyed:
      "kernel.shm_rmid_forced is 1 here, so the kernel would destroy the ledger, and with it all leases, when the "
        + "daemon stops; set it to 0 (sysctl -w kernel.shm_rmid_forced=0)"
    case .kernelLimit(let what, let limit, let errno): "cannot \(what): \(errno); \(limit.description)"
    case .stateDirectory(let error): "--state-dir: \(error)"
    case .noThread:
      "cannot start a thread: the process may have no more; see ulimit -u, TasksMax= of the unit, pids.max of the "
        + "container"
    case .unreadableSet(let id?, let errno):
      "semaphore set \(id), which has locks of this service, cannot be read (\(errno)), and its leases would be taken "
        + "for lost; look who owns it and with which mode (ipcs -s -i \(id)), then start again: nothing was changed"
    case .unreadableSet(nil, let errno):
      "the list of semaphore sets cannot be read (\(errno)), so nobody knows which locks there are; start again: "
        + "nothing was changed"
    case .kernel(let what, let errno): "cannot \(what): \(errno)"
    case .canceled: "stopped while waiting for the other daemon"
    }
  }
}

extension LocalServiceError {
  /// The step that fails where there are no semaphores: the first that needs one.
  static let openingGuard = "open the guard (semget)"

  /// The errno of semget(2) where this kernel, or a filter, has no semaphores for this process; else `nil`.
  ///
  /// A set that belongs to others would be EACCES.
  public var missingSemaphores: String? {
    guard case .kernel(Self.openingGuard, let errno) = self else { return nil }
    return switch errno {
    case .noFunction: "ENOSYS"
    case .notPermitted: "EPERM"
    default: nil
    }
  }
}

internal import Glibc
internal import SysV
internal import SystemPackage

/// Limits of the kernel in this IPC namespace, and the owners of its sets and segments.
///
/// Needs no service.
enum KernelCheck {
  /// All of it.
  static func findings() -> [Finding] {
    var findings = semaphores() + segments()
    if TextFile.numbers("/proc/sys/kernel/shm_rmid_forced") == [1] {
      findings.append(
        .problem(
          "kernel.shm_rmid_forced", "segments that nobody is attached to are destroyed, the ledger among them",
          fix: "sysctl -w kernel.shm_rmid_forced=0"))
    }
    return findings + orphans()
  }

  /// - Parameter limits: SEMMSL, SEMMNS, SEMOPM, SEMMNI, as in `/proc/sys/kernel/sem`.
  static func semaphores(sets: Int64, semaphores: Int64, limits: [Int64]) -> [Finding] {
    guard limits.count == 4 else { return [.note("kernel.sem", "cannot be read")] }
    var findings: [Finding] = []
    func fix(_ index: Int, _ value: Int64) -> String {
      var values = limits
      values[index] = value
      return "sysctl -w kernel.sem=\"\(values.map(String.init).joined(separator: " "))\""
    }
    // A bank of 64 locks has 195 semaphores.
    if limits[0] < 195 {
      findings.append(
        .problem("SEMMSL", "a set may have \(limits[0]) semaphores; Leasehold's own have 195", fix: fix(0, 250)))
    }
    let rows = [
      ("SEMMNI", "sets", sets, limits[3], 3, setsMax),
      ("SEMMNS", "semaphores", semaphores, limits[1], 1, Int64(Int32.max)),
    ]
    for (name, noun, used, limit, index, limitMax) in rows {
      findings.append(
        room(
          name, "\(used) of \(limit) \(noun) are in use", used, limit, limitMax: limitMax, raise: { fix(index, $0) },
          unused: "ipcs -s"))
    }
    return findings
  }

  /// IPCMNI of the kernel: there are never more sets, nor segments, unless it was booted with ipcmni_extend.
  private static let setsMax: Int64 = 32768

  /// - Parameters:
  ///   - limitMax: What the kernel takes as the limit.
  ///   - raise: The command that makes it a number.
  ///   - unused: What lists the candidates for removal.
  private static func room(
    _ name: String, _ text: String, _ used: Int64, _ limit: Int64, limitMax: Int64, raise: (Int64) -> String,
    unused: String
  ) -> Finding {
    guard isTight(used, limit) else { return .ok(name, text) }
    let wanted = max(limit, used).multipliedReportingOverflow(by: 2)
    let raised = wanted.overflow ? limitMax : min(wanted.partialValue, limitMax)
    guard raised <= limit else { return .problem(name, text, fix: raise(raised)) }
    return .problem(
      name, text, fix: "\(unused)  # there is no larger limit: remove what is not needed with ipcrm")
  }

  /// Less than a tenth is left.
  private static func isTight(_ used: Int64, _ limit: Int64) -> Bool { limit - used < max(limit / 10, 2) }

  private static func semaphores() -> [Finding] {
    guard let usage = try? SemaphoreUsage.current() else { return [.note("semaphores", "cannot be counted")] }
    let limits = TextFile.numbers("/proc/sys/kernel/sem") ?? []
    return semaphores(sets: Int64(usage.sets), semaphores: Int64(usage.semaphores), limits: limits)
  }

  private static func segments() -> [Finding] {
    guard let usage = try? SharedMemoryUsage.current(), let limit = TextFile.numbers("/proc/sys/kernel/shmmni")?.first
    else { return [.note("SHMMNI", "cannot be read")] }
    return [
      room(
        "SHMMNI", "\(usage.segments) of \(limit) segments are in use", Int64(usage.segments), limit, limitMax: setsMax,
        raise: { "sysctl -w kernel.shmmni=\($0)" }, unused: "ipcs -m")
    ]
  }

  /// Sets and segments of users that do not exist any more.
  private static func orphans() -> [Finding] {
    let sets = (try? IPCInventory.semaphoreSets()) ?? []
    let segments = (try? IPCInventory.sharedMemorySegments()) ?? []
    let owned =
      sets.map { ("set", "-s", $0.id, $0.status.permissions.owner) }
      + segments.map { ("segment", "-m", $0.id, $0.status.permissions.owner) }
    let findings = owned.filter { getpwuid($0.3) == nil }.map { noun, option, id, owner in
      Finding.note("\(noun) id \(id)", "belongs to uid \(owner), which no user has", fix: "ipcrm \(option) \(id)")
    }
    return findings.isEmpty ? [.ok("owners", "every set and segment belongs to a user")] : findings
  }
}

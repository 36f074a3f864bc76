internal import Glibc
internal import SysV
internal import SystemPackage

/// Limits of the kernel in this IPC namespace, and who owns what.
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
    let rows = [("SEMMNI", "sets", sets, limits[3], 3), ("SEMMNS", "semaphores", semaphores, limits[1], 1)]
    for (name, noun, used, limit, index) in rows {
      let text = "\(used) of \(limit) \(noun) are in use"
      findings.append(
        isTight(used, limit) ? .problem(name, text, fix: fix(index, max(limit * 2, used * 2))) : .ok(name, text))
    }
    return findings
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
    let text = "\(usage.segments) of \(limit) segments are in use"
    return isTight(Int64(usage.segments), limit)
      ? [.problem("SHMMNI", text, fix: "sysctl -w kernel.shmmni=\(limit * 2)")] : [.ok("SHMMNI", text)]
  }

  /// Sets and segments of users that do not exist any more.
  private static func orphans() -> [Finding] {
    let sets = (try? IPCInventory.semaphoreSets()) ?? []
    var findings: [Finding] = []
    for entry in sets where getpwuid(entry.status.permissions.owner) == nil {
      let owner = entry.status.permissions.owner
      findings.append(
        .note("set id \(entry.id)", "belongs to uid \(owner), which no user has", fix: "ipcrm -s \(entry.id)"))
    }
    for entry in (try? IPCInventory.sharedMemorySegments()) ?? []
    where getpwuid(entry.status.permissions.owner) == nil {
      let owner = entry.status.permissions.owner
      findings.append(
        .note("segment id \(entry.id)", "belongs to uid \(owner), which no user has", fix: "ipcrm -m \(entry.id)"))
    }
    return findings.isEmpty ? [.ok("owners", "every set and segment belongs to a user")] : findings
  }
}

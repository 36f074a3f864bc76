import SysV
import SystemPackage

/// A limit of the kernel that keeps the service from starting, and how to raise it.
public struct StartLimit: Equatable, Sendable, CustomStringConvertible {
  /// Its name, such as SHMMAX.
  public let name: String
  /// The value of the limit.
  public let value: UInt
  /// The part of it that is used now; `nil` where it is a limit of one thing.
  public let used: UInt?
  /// The amount that is needed.
  public let needed: UInt
  /// The way to raise it.
  public let remedy: String

  /// A sentence that says what it is, what it must be, and what to do.
  public var description: String {
    let inUse = used.map { ", of which \($0) are in use" } ?? ""
    return "\(name) is \(value) here\(inUse), and \(needed)\(used == nil ? " are" : " more are") needed: \(remedy)"
  }
}

extension LocalServiceError {
  /// Why a segment of shared memory or a set could not be made.
  static func making(_ what: String, _ limit: StartLimit?, _ errno: Errno) -> LocalServiceError {
    limit.map { .kernelLimit(what: what, limit: $0, errno: errno) } ?? .kernel(what: what, errno: errno)
  }
}

extension StartLimit {
  /// The limit behind an error of shmget(2); `nil` where it is none.
  init?(bytes: Int, _ errno: Errno) {
    guard [.invalidArgument, .noSpace].contains(errno), let limits = try? SharedMemoryLimits.current() else {
      return nil
    }
    let wanted = UInt(clamping: bytes)
    if errno == .invalidArgument {
      guard wanted > limits.byteCountMax else { return nil }
      self.init(
        name: "SHMMAX", value: limits.byteCountMax, used: nil, needed: wanted,
        remedy: "sysctl -w kernel.shmmax=\(wanted), or serve with fewer --max-leases")
      return
    }
    guard let usage = try? SharedMemoryUsage.current() else { return nil }
    let segments = UInt(clamping: usage.segments)
    if segments >= UInt(clamping: limits.segments) {
      self.init(
        name: "SHMMNI", value: UInt(clamping: limits.segments), used: segments, needed: 1,
        remedy: "sysctl -w kernel.shmmni=\(segments + 1), or remove segments that nobody uses (ipcs -m, ipcrm -m ID)")
      return
    }
    let page = UInt(clamping: HostFacts.pageBytes)
    let pages = wanted / page + (wanted % page == 0 ? 0 : 1)
    let inUse = UInt(clamping: usage.pages)
    self.init(
      name: "SHMALL", value: limits.pages, used: inUse, needed: pages,
      remedy: "sysctl -w kernel.shmall=\(inUse.addingReportingOverflow(pages).partialValue) (pages of \(page) bytes), "
        + "or serve with fewer --max-leases, or remove segments that nobody uses (ipcs -m, ipcrm -m ID)")
  }

  /// The limit behind an error of semget(2); `nil` where it is none.
  init?(semaphores: Int, _ errno: Errno) {
    guard [.invalidArgument, .noSpace].contains(errno), let limits = try? SemaphoreLimits.current() else { return nil }
    let wanted = UInt(clamping: semaphores)
    let now = (
      perSet: UInt(clamping: limits.semaphoresPerSet), all: UInt(clamping: limits.semaphores),
      perCall: UInt(clamping: limits.operationsPerCall), sets: UInt(clamping: limits.sets)
    )
    // All four go into one line of sysctl: SEMMSL SEMMNS SEMOPM SEMMNI.
    func line(perSet: UInt? = nil, all: UInt? = nil, sets: UInt? = nil) -> String {
      "sysctl -w kernel.sem=\"\(perSet ?? now.perSet) \(all ?? now.all) \(now.perCall) \(sets ?? now.sets)\""
    }
    if errno == .invalidArgument {
      guard wanted > now.perSet else { return nil }
      self.init(name: "SEMMSL", value: now.perSet, used: nil, needed: wanted, remedy: line(perSet: max(wanted, 250)))
      return
    }
    guard let usage = try? SemaphoreUsage.current() else { return nil }
    let (sets, all) = (UInt(clamping: usage.sets), UInt(clamping: usage.semaphores))
    let orRemove = ", or remove sets that nobody uses (ipcs -s, ipcrm -s ID)"
    self.init(
      name: sets >= now.sets ? "SEMMNI" : "SEMMNS", value: sets >= now.sets ? now.sets : now.all,
      used: sets >= now.sets ? sets : all, needed: sets >= now.sets ? 1 : wanted,
      remedy: (sets >= now.sets ? line(sets: max(sets + 1, 32_000)) : line(all: max(all + wanted, 1_024_000_000)))
        + orRemove)
  }
}

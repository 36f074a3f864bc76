import Leasehold
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
    guard let limit = KernelLimit(errno, semaphores: semaphores), var raised = try? SemaphoreLimits.current(),
      let usage = try? SemaphoreUsage.current()
    else { return nil }
    let (used, needed): (Int?, Int)
    switch limit.name {
    case .semaphoresPerSet: (raised.semaphoresPerSet, used, needed) = (max(semaphores, 250), nil, semaphores)
    case .sets: (raised.sets, used, needed) = (max(usage.sets + 1, 32_000), usage.sets, 1)
    case .semaphores:
      raised.semaphores = max(usage.semaphores + semaphores, 1_024_000_000)
      (used, needed) = (usage.semaphores, semaphores)
    }
    // All four go into one line of sysctl: SEMMSL SEMMNS SEMOPM SEMMNI.
    let words = [raised.semaphoresPerSet, raised.semaphores, raised.operationsPerCall, raised.sets].map { "\($0)" }
    self.init(
      name: limit.name.rawValue, value: UInt(clamping: limit.value), used: used.map(UInt.init(clamping:)),
      needed: UInt(clamping: needed),
      remedy: "sysctl -w kernel.sem=\"\(words.joined(separator: " "))\""
        + (used == nil ? "" : ", or remove sets that nobody uses (ipcs -s, ipcrm -s ID)"))
  }
}

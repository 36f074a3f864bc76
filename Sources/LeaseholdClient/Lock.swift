internal import Glibc
internal import LeaseholdHost
import Synchronization

/// A way to keep a lease.
public enum Keep: String, Sendable {
  /// By ``process`` over a Unix socket where the service sees this process, else by ``stream``; with a ttl by
  /// ``renewal``.
  case auto
  /// It ends with this process, and outlives a restart of the service.
  case process
  /// It ends with the last process of this process's cgroup, such as its systemd unit, and outlives a restart of the
  /// service.
  case cgroup
  /// It ends with a connection; one that ends with a restart of the service is opened again in its grace.
  case stream
  /// It has a ttl, and is renewed.
  case renewal
}

/// One lock or several, and how they are wanted; each acquire has a lease of its own.
///
/// ```swift
/// try await Lock("deploy", wait: .seconds(10)).withLock { lease in
///   try await deploy(fence: lease.fence)
/// }
/// ```
public struct Lock: Sendable {
  /// The locks: several are one lease, all or none.
  public var wants: [Want]
  /// The time to wait in the queue: zero tries once, `nil` waits without end.
  public var wait: Duration?
  /// The lease ends so long after its last renewal, which this library sends; `nil`: it has no deadline.
  public var ttl: Duration?
  /// The time that a lease may last at most.
  public var maxHold: Duration?
  /// The time for which the slots stay taken after the lease was lost.
  public var cooldown: Duration?
  /// The time from the grant on for which the slots stay taken, also after an earlier release.
  public var holdAtLeast: Duration?
  /// Stops this process before the lock goes on, at the end of ``maxHold`` or when an operator ends the lease: the time
  /// from TERM to KILL.
  public var stopGrace: Duration?
  /// A group of which this request is the newest: older ones that wait end with ``ClientError/Kind/superseded``, and a
  /// holder of the group is asked to yield.
  public var newest: String?
  /// The holder's own words, as the service shows them to callers.
  public var note: String?
  /// The holder in words, as the service shows it to callers; `nil`: `USER@HOST PROGRAM`.
  public var owner: String?
  /// The way the lease is kept.
  public var keep = Keep.auto
  /// True where ``withLock(_:)`` returns what the body does although the lease was lost meanwhile.
  public var ignoresLoss = false
  /// Leases that the caller has without their blocks around it: when it would wait for one, that is an error at once.
  public var holding: [Lease] = []
  /// The way to the service; `nil`: ``LeaseholdClient/standard()``.
  public var client: LeaseholdClient?

  /// Wants one lock.
  ///
  /// - Parameters:
  ///   - slots: The slots of a counting lock.
  ///   - count: How many of them to take.
  public init(
    _ key: String, wait: Duration? = nil, shared: Bool = false, slots: Int? = nil, count: Int? = nil,
    ttl: Duration? = nil, client: LeaseholdClient? = nil
  ) {
    let want = Want(key, mode: shared ? .shared : .exclusive, slots: slots, count: count)
    self.init([want], wait: wait, ttl: ttl, client: client)
  }

  /// Wants several locks, such as `["accounts", .shared("report"), .slots("downloads", 5)]`.
  public init(_ wants: [Want], wait: Duration? = nil, ttl: Duration? = nil, client: LeaseholdClient? = nil) {
    (self.wants, self.wait, self.ttl, self.client) = (wants, wait, ttl, client)
  }

  /// Takes the lock; the lease is kept without help until ``Lease/release()``.
  ///
  /// A task that is canceled leaves neither a slot nor a place in the queue.
  /// - Throws: ``ClientError``; ``ClientError/isBusy`` says whether others hold the lock.
  public func acquire() async throws(ClientError) -> Lease {
    let client = if let client { client } else { try LeaseholdClient.standard() }
    let wish = try Wish(self)
    let until = wait.map { client.endpoint.now() + $0.wholeNanoseconds } ?? .max
    var holding = Holding(self, client)
    while true {
      var attempt = Attempt(client, wish, until: until, holding: holding)
      do throws(ClientError) {
        return try await attempt.lease()
      } catch {
        if attempt.cannotBind(error) {
          client.isUnseen.store(true, ordering: .relaxed)
        } else if error.kind == .leaseLost, try await holding.forgetEnded(client) {
          // One that was named as held was over, or another service's.
        } else {
          throw error
        }
      }
    }
  }

  /// Takes the lock, runs the body in a task of its own, and gives the lock back however the body ends.
  ///
  /// When the lease is lost, the body's task is canceled at once. What the body throws by itself goes on; otherwise a
  /// loss is the error, unless ``ignoresLoss``.
  /// - Throws: ``ClientError`` of the acquire, ``ClientError/leaseLost(_:)``, and what `body` throws.
  public func withLock<Value: Sendable>(
    _ body: @escaping @Sendable (Lease) async throws -> Value
  ) async throws -> Value {
    let lease = try await acquire()
    let work = Task {
      try await Lease.$ofContext.withValue(Lease.ofContext + [lease]) { try await body(lease) }
    }
    lease.onEnd { work.cancel() }
    let result = await withTaskCancellationHandler {
      await work.result
    } onCancel: {
      work.cancel()
    }
    await lease.release()
    guard let loss = lease.loss else { return try result.get() }
    switch result {
    case .success(let value) where ignoresLoss: return value
    case .success: throw ClientError.leaseLost(loss)
    case .failure(let error):
      let isCancellation = error is CancellationError || error as? ClientError == .canceled
      throw isCancellation && !Task.isCancelled ? ClientError.leaseLost(loss) : error
    }
  }
}

/// A ``Lock`` that makes sense.
struct Wish: Sendable {
  static let ttlLeast = Duration.milliseconds(100)

  private let lock: Lock

  var keys: [String] { lock.wants.map(\.key) }
  var waits: Bool { lock.wait != .zero }
  var maxHold: Duration? { lock.maxHold }
  var keep: Keep { lock.ttl == nil ? lock.keep : .renewal }

  /// - Throws: ``ClientError/invalid(_:parameter:)``.
  init(_ lock: Lock) throws(ClientError) {
    guard (1...32).contains(lock.wants.count) else {
      throw .invalid("a lease is on 1 to 32 locks, not on \(lock.wants.count)", parameter: "key")
    }
    for want in lock.wants { try want.check() }
    let times = [
      ("wait", lock.wait), ("cooldown", lock.cooldown), ("holdAtLeast", lock.holdAtLeast),
      ("stopGrace", lock.stopGrace),
    ]
    for (name, time) in times {
      guard time ?? .zero >= .zero else { throw .invalid("a time is not negative", parameter: name) }
    }
    for (name, time) in [("ttl", lock.ttl), ("maxHold", lock.maxHold)] {
      guard time ?? .seconds(1) >= Self.ttlLeast else { throw .invalid("it is 100 ms or longer", parameter: name) }
    }
    if lock.ttl != nil, lock.keep != .auto, lock.keep != .renewal {
      throw .invalid("a ttl is for leases that are renewed; maxHold bounds any", parameter: "ttl")
    }
    if lock.keep == .stream, lock.wants.count > 1 {
      throw .invalid("a stream keeps one lock; several are kept by process or renewal", parameter: "keep")
    }
    self.lock = lock
  }

  /// The way a lease is kept by a client.
  func way(_ client: LeaseholdClient) -> Keep {
    if keep != .auto { return keep }
    if !client.isUnseen.load(ordering: .relaxed) { return .process }
    return lock.wants.count > 1 ? .renewal : .stream
  }

  /// The request for a lease that is kept in a way.
  func request(_ way: Keep, wait: Duration, holding: [String]) -> Request {
    var options = LeaseOptions()
    options.label = lock.owner ?? Self.programOwner
    options.cooldown = lock.cooldown
    options.holdAtLeast = lock.holdAtLeast
    options.stopGrace = lock.stopGrace
    options.newest = lock.newest
    options.note = lock.note
    options.wait = wait
    options.holding = holding
    options.ttl = maxHold
    switch way {
    case .process, .cgroup:
      options.binding = way == .process ? .process(getpid()) : .cgroup(nil)
      options.ttl = maxHold ?? .zero
    case .renewal:
      let ttl = lock.ttl ?? .seconds(30)
      options.ttl = min(ttl, maxHold ?? ttl)
    case .stream, .auto: break
    }
    return options.request(for: lock.wants, verb: way == .stream ? "hold" : "acquire")
  }

  /// `USER@HOST PROGRAM` in 128 bytes (rule 8).
  static let programOwner: String = {
    let user = getpwuid(geteuid()).map { String(cString: $0.pointee.pw_name) } ?? "unknown"
    let hostname = String(decoding: HostFile.read("/proc/sys/kernel/hostname").bytes, as: UTF8.self)
    let host = hostname.split(separator: "\n").first ?? ""
    let program = CommandLine.arguments.first?.split(separator: "/").last ?? "swift"
    let whole = "\(user)@\(host) \(program)"
    var text = String(whole.unicodeScalars.filter { $0.properties.generalCategory != .control })
    while text.utf8.count > 128 { text.removeLast() }
    return text
  }()
}

/// The leases that an acquire names as held meanwhile (rule 10).
struct Holding: Sendable {
  /// So many a request may name.
  private static let idsMax = 32

  private(set) var ids: [String]

  init(_ lock: Lock, _ client: LeaseholdClient) {
    let wanted = Set(lock.wants.map(\.key))
    let leases = (lock.holding + Lease.ofContext.reversed()).filter { $0.client === client && $0.isHeld }
    let ofWanted = leases.filter { !wanted.isDisjoint(with: $0.keys) }
    var ids = ofWanted.map(\.id)
    let outer = Environment.value("LEASEHOLD_HOLDING") ?? ""
    for id in leases.map(\.id) + outer.split(separator: ",").map(String.init).filter({ $0.utf8.count == 32 })
    where !ids.contains(id) { ids.append(id) }
    self.ids = Array(ids.prefix(Self.idsMax))
  }

  /// Leaves out what the service does not have; false where it has all of it.
  mutating func forgetEnded(_ client: LeaseholdClient) async throws(ClientError) -> Bool {
    var held: [String] = []
    for id in ids {
      let answer: Answer? = try? await client.ask(Request("GET", ["leases", id]).within(client.timeout))
      if Task.isCancelled { throw .canceled }
      if answer.map({ $0.status == 200 }) ?? true { held.append(id) }
    }
    defer { ids = held }
    return held.count < ids.count
  }

  /// True where all holders of a lock are among them.
  func areAll(_ holders: [LeaseState]) -> Bool {
    !holders.isEmpty
      && holders.allSatisfy { holder in !holder.ref.isEmpty && ids.contains { $0.hasPrefix(holder.ref) } }
  }
}

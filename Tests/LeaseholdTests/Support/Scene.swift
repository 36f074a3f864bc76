import Leasehold
import LeaseholdTestKit

/// A daemon and the people who use it, by name.
///
/// What nobody could have heard, because the daemon had died, nobody knows.
final class Scene {
  let daemon: SimulatedDaemon
  let history = History()
  private(set) var leases: [String: LeaseSnapshot] = [:]
  private(set) var refusals: [String: LeaseholdError] = [:]
  private(set) var clients: [String: RecordingClient] = [:]
  private(set) var waiters: [String: WaiterID] = [:]

  var ledger: Ledger { daemon.ledger }
  var kernel: SimulatedKernel { daemon.kernel }

  init(_ limits: Limits = Limits(), records: Int = 256) {
    daemon = SimulatedDaemon(limits: limits, records: records)
    daemon.processes.onKill = { [history] pid in history.letGo { $0.process == pid } }
  }

  static func key(_ text: String) -> LockKey {
    guard let key = try? LockKey(utf8: text.utf8) else { preconditionFailure("'\(text)' is no name for a lock") }
    return key
  }

  static func request(_ key: String, connection: ConnectionID = 1) -> AcquireRequest {
    AcquireRequest(key: Self.key(key), ttl: .seconds(30), caller: Caller(connection: connection, peer: .unknown))
  }

  /// One request for what several ask for; the first says what the lease is to be.
  static func together(_ requests: [AcquireRequest]) -> AcquireRequest {
    var request = requests[0]
    request.others = requests.dropFirst().map(\.want)
    return request
  }

  // MARK: What people do

  /// Somebody asks for a lock; the answer is a refusal's code.
  @discardableResult
  func acquire(
    _ who: String, _ key: String = "a", _ change: (inout AcquireRequest) -> Void = { _ in }
  ) -> LeaseholdError.Code? {
    var request = Self.request(key)
    change(&request)
    let client = RecordingClient()
    return note(who, client, ledger.acquire(request, client: { client }, at: daemon.moment))
  }

  /// Somebody asks to queue for a lock.
  @discardableResult
  func queue(
    _ who: String, _ key: String = "a", for wait: TimeSpan = .seconds(600),
    _ change: (inout AcquireRequest) -> Void = { _ in }
  ) -> LeaseholdError.Code? {
    acquire(who, key) { request in
      request.wait = wait
      change(&request)
    }
  }

  /// Somebody asks for several locks; the answer is a refusal's code.
  @discardableResult
  func acquire(
    _ who: String, several keys: [String], _ change: (inout [AcquireRequest]) -> Void = { _ in }
  ) -> LeaseholdError.Code? {
    var requests = keys.map { Self.request($0) }
    change(&requests)
    let client = RecordingClient()
    return note(who, client, ledger.acquire(Self.together(requests), client: { client }, at: daemon.moment))
  }

  /// Somebody asks for another form of their lease; the answer is a refusal's code.
  @discardableResult
  func convert(
    _ who: String, _ key: String? = nil, to mode: LockMode, for wait: TimeSpan = .zero, as asking: String? = nil,
    _ change: (inout ConvertRequest) -> Void = { _ in }
  ) -> LeaseholdError.Code? {
    guard let lease = leases[who] else { return nil }
    var request = ConvertRequest(
      lease: lease.id, on: LockName(key.map(Self.key) ?? lease.key), mode: mode,
      caller: Caller(connection: 1, peer: .unknown))
    request.wait = wait
    change(&request)
    let client = RecordingClient()
    history.askedToConvert(lease.id)
    let outcome = ledger.convert(request, client: { client }, at: daemon.moment)
    guard !daemon.crash.hasCrashed else { return nil }
    let name = asking ?? who
    (refusals[name], waiters[name], clients[name]) = (nil, nil, client)
    switch outcome {
    case .granted(let lease):
      leases[name] = lease
      history.converted(lease)
    case .waiting(let waiter, _): waiters[name] = waiter
    case .refused(let error): refusals[name] = error
    }
    hear()
    return refusals[name]?.code
  }

  private func note(_ who: String, _ client: RecordingClient, _ outcome: AcquireOutcome) -> LeaseholdError.Code? {
    guard !daemon.crash.hasCrashed else { return nil }
    (leases[who], refusals[who], waiters[who]) = (nil, nil, nil)
    clients[who] = client
    switch outcome {
    case .granted(let lease):
      leases[who] = lease
      history.granted(lease)
    case .waiting(let waiter, _): waiters[who] = waiter
    case .refused(let error): refusals[who] = error
    }
    hear()
    return refusals[who]?.code
  }

  /// Somebody releases what they have; the answer is a refusal's code.
  @discardableResult
  func release(_ who: String, early: Bool = false) -> LeaseholdError.Code? {
    guard let lease = leases[who] else { return nil }
    history.letGo(lease.id)
    return attempt { () throws(LeaseholdError) in
      let outcome = try ledger.release(lease.id, key: lease.key, early: early, at: daemon.moment)
      if let end = outcome.keptUntil, !daemon.crash.hasCrashed { history.keeps(lease.id, until: end) }
    }
  }

  /// Somebody renews; the answer is a refusal's code.
  @discardableResult
  func renew(_ who: String, ttl: TimeSpan? = nil) -> LeaseholdError.Code? {
    guard let lease = leases[who] else { return nil }
    history.shorten(lease.id, to: (daemon.clock.now + (ttl ?? lease.ttl)).nanoseconds)
    return attempt { () throws(LeaseholdError) in
      let renewed = try ledger.renew(lease.id, key: nil, ttl: ttl, at: daemon.moment)
      if !daemon.crash.hasCrashed { history.renewed(renewed) }
    }
  }

  /// Somebody has a lease that another had.
  func note(_ lease: LeaseSnapshot, of who: String) {
    leases[who] = lease
    history.granted(lease)
  }

  /// Somebody's lease has another form.
  func becomes(_ lease: LeaseSnapshot, of who: String) {
    leases[who] = lease
    history.converted(lease)
  }

  /// Somebody stops waiting.
  func cancel(_ who: String) {
    if let waiter = waiters[who] { ledger.withdraw(.waiter(waiter), at: daemon.moment) }
    hear()
  }

  /// An operator removes a lock; the answer is a refusal's code.
  @discardableResult
  func remove(_ key: String = "a", force: Bool = false) -> LeaseholdError.Code? {
    if force { history.letGo { $0.places.contains { $0.key.text == key } } }
    return attempt { () throws(LeaseholdError) in
      try ledger.remove(Self.key(key), force: force, at: daemon.moment)
    }
  }

  /// An operator gives a lock another limit; the answer is a refusal's code.
  @discardableResult
  func resize(
    _ limit: Int, _ key: String = "a", isPinned: Bool = false, names: [String]? = nil
  ) -> LeaseholdError.Code? {
    var request = ResizeRequest(Self.key(key), limit: limit, isPinned: isPinned)
    request.names = names
    let asked = request
    return attempt { () throws(LeaseholdError) in
      _ = try ledger.resize(asked, for: Caller(connection: 9, peer: .unknown), at: daemon.moment)
    }
  }

  func attempt(_ body: () throws(LeaseholdError) -> Void) -> LeaseholdError.Code? {
    var code: LeaseholdError.Code?
    do {
      try body()
    } catch {
      code = error.code
    }
    hear()
    return code
  }

  /// Time passes, and what is due happens.
  func pass(_ span: TimeSpan) {
    daemon.advance(by: span)
    hear()
  }

  /// Once a second, when nothing else happens.
  func keepHouse() {
    ledger.housekeep(at: daemon.moment)
    ledger.foundProcesses(daemon.processes.find(ledger.takeUnfound()), at: daemon.moment)
    hear()
  }

  /// The daemon dies and another one starts.
  func restart(crashAfterStep step: Int? = nil) {
    daemon.restart(crashAfterStep: step)
    if daemon.crash.hasCrashed { return }
    waiters = [:]
    history.crashed(daemon)
  }

  // MARK: What people know

  /// Lets the threads run; whoever waited and was granted has a lease.
  func hear() {
    daemon.settle()
    guard !daemon.crash.hasCrashed else { return }
    for who in waiters.keys.sorted() {
      if let lease = clients[who]?.lease {
        leases[who] = lease
        waiters[who] = nil
        if lease.isConverted { history.converted(lease) } else { history.granted(lease) }
      } else if let refusal = clients[who]?.refusal {
        refusals[who] = refusal
        waiters[who] = nil
      }
    }
  }

  /// Whether somebody has a lease that lives.
  func has(_ who: String) -> Bool {
    guard let lease = leases[who] else { return false }
    return (try? ledger.lease(lease.id)) != nil
  }

  /// Whether somebody queues.
  func waits(_ who: String) -> Bool { waiters[who] != nil }

  /// Why somebody has nothing.
  func refusal(_ who: String) -> LeaseholdError.Code? { refusals[who]?.code }

  /// What somebody is told of their lease, which is over.
  func problem(_ who: String) -> LeaseholdError? {
    guard let lease = leases[who] else { return nil }
    do throws(LeaseholdError) {
      _ = try ledger.lease(lease.id)
      return nil
    } catch {
      return error
    }
  }

  /// Why somebody's lease is over.
  func end(_ who: String) -> LeaseholdError.Code? {
    guard let lease = leases[who] else { return nil }
    return attempt { () throws(LeaseholdError) in _ = try ledger.lease(lease.id) }
  }

  /// Everything that is wrong.
  func flaws() -> [String] { daemon.flaws() + history.check(daemon) }

  // MARK: The kernel's side

  /// Where a lock is.
  func place(_ key: String = "a") -> (set: Int32, semaphore: Int)? {
    (try? ledger.lock(Self.key(key))).map { ($0.place.id, $0.place.semaphore) }
  }

  /// Free units in the kernel.
  func free(_ key: String = "a") -> Int? { place(key).flatMap { kernel.value($0.set, $0.semaphore) } }

  /// A native process takes units with SEM_UNDO.
  @discardableResult
  func nativeTakes(_ units: Int, _ key: String = "a", process: Int32 = 100) -> Bool {
    place(key).map { kernel.take(units, set: $0.set, semaphore: $0.semaphore, process: process, undoes: true) } ?? false
  }

  /// A native process gives units back; whoever waits for them hears of it.
  func nativeGives(_ units: Int, _ key: String = "a", process: Int32 = 100) {
    if let place = place(key) {
      kernel.give(units, set: place.set, semaphore: place.semaphore, process: process, undoes: true)
    }
    hear()
  }

  /// Somebody removes the set that a lock is in.
  func removeSet(of key: String = "a") {
    if let place = place(key) { kernel.removeSet(place.set) }
  }
}

extension LeaseholdError {
  /// One of its facts.
  func fact(_ name: String) -> Value? { facts.first { $0.name == name }?.value }
}

extension AcquireRequest {
  /// Wants slots with names: of all that the lock has, some.
  mutating func wantSlots(_ all: [String], _ wanted: [String] = [], count: Int = 1) {
    want.slots = SlotNames(all: all, wanted: wanted)
    limit = all.isEmpty ? nil : all.count
    self.count = max(count, wanted.count)
  }
}

internal import LeaseholdHost
import Synchronization

/// A lease that is held, and kept without help.
///
/// Any code with the object may release it; a lease whose object is forgotten stays.
public final class Lease: Sendable {
  /// The leases of the blocks around this task, the outermost first.
  @TaskLocal static var ofContext: [Lease] = []

  /// The names of the locks that it was taken on; ``locks`` has those that were added, too.
  public let keys: [String]
  /// Its short name, for listings and logs.
  public let ref: String
  /// Grows with every grant: send it along with each write that must not come late.
  public let fence: Int64
  /// The names of its slots, on locks whose slots have names.
  public let slots: [String]
  /// The name of its slot, the first where it has several; `nil` where slots have no names.
  public var slot: String? { slots.first }
  /// Alone or shared.
  public let mode: LeaseMode
  /// The holder in words, as others see it.
  public let owner: String?
  /// The way it is kept: by process, stream or renewal.
  public let keep: Keep
  /// The secret name: a program that has it may renew and release.
  public let id: String

  let client: LeaseholdClient
  /// In nanoseconds; 0 where there is none.
  let ttl: Int64
  /// The end that ``Lock/maxHold`` leaves, on the client's clock.
  let end: Int64
  private let status: Mutex<LeaseStatus>
  private let alarm = TaskAlarm()

  init(_ grant: Grant, _ answer: Answer, _ attempt: Attempt, _ stream: LineStream?) {
    (keys, ref, fence, id, slots) = (attempt.wish.keys, grant.ref, grant.fence, grant.id, grant.slots)
    mode = grant.json["mode"].string.flatMap(LeaseMode.init) ?? .exclusive
    owner = grant.json["owner"].string
    (keep, client) = (attempt.way, attempt.client)
    ttl = grant.ttl?.wholeNanoseconds ?? 0
    let deadline = grant.deadline(sentFirst: attempt.begun, last: answer.sent) ?? .max
    var end = Int64.max
    if ttl > 0, let holdMax = attempt.wish.maxHold { end = deadline - ttl + holdMax.wholeNanoseconds }
    self.end = end
    status = Mutex(LeaseStatus(deadline: deadline, answer, grace: Self.grace(answer)))
    if let stream {
      let reading = Task.detached { await self.follow(stream) }
      status.withLock { $0.reading = reading }
    } else {
      client.watcher.add(self)
    }
    if deadline < .max { beginTiming() }
  }

  /// True while it is held, by the clock of this moment.
  public var isHeld: Bool { phase == .held }

  /// The loss, once it is lost; `nil` while it is held, and after it was given back.
  public var loss: LeaseLost? { if case .lost(let loss) = phase { loss } else { nil } }

  /// All its locks.
  public var locks: [GrantedLock] { status.withLock(\.locks) }

  /// When the time is over for which ``Lock/holdAtLeast`` keeps the slots taken, as the service writes instants; `nil`
  /// where nothing keeps them.
  public var keptUntil: String? { status.withLock(\.keptUntil) }

  /// True once a newer request of its group (``Lock/newest``) waits: give it back as soon as you like to.
  public var isAskedToYield: Bool { status.withLock(\.isAskedToYield) }

  /// Returns while it is held, by the clock of this moment: look before a step that cannot be taken back.
  ///
  /// - Throws: ``ClientError/leaseLost(_:)``.
  public func check() throws(ClientError) { if let loss { throw .leaseLost(loss) } }

  /// The time until the deadline, zero when it is over; `nil` where no clock ends it.
  public var remaining: Duration? {
    guard isHeld else { return .zero }
    let ends = status.withLock(\.ends)
    return ends == .max ? nil : .nanoseconds(max(0, ends - client.endpoint.now()))
  }

  /// Moves the deadline to the ttl from now; leases with a ttl are renewed without this, too.
  ///
  /// - Parameter note: Shown to everybody who asks who holds the lock.
  /// - Throws: ``ClientError``.
  public func renew(note: String? = nil) async throws(ClientError) {
    try check()
    if let problem = try await sendRenewal(within: client.timeout, isFresh: false, note: note).problem {
      try check()
      throw .problem(problem)
    }
  }

  /// Gives it back, whatever cancels the task.
  ///
  /// - Parameter early: Frees what ``Lock/holdAtLeast`` keeps, also after an earlier release.
  /// - Returns: True when it was held until now; a second time says false, and asks nobody.
  @discardableResult public func release(early: Bool = false) async -> Bool {
    let wasHeld = isHeld
    let early = early && keptUntil != nil
    let (isFirst, mayStand, deadline) = status.withLock { status in
      defer { status.mayStand = false }
      guard wasHeld, status.phase == .held else { return (false, status.mayStand, status.deadline) }
      status.phase = .released
      return (true, false, status.deadline)
    }
    guard isFirst || early || mayStand else { return false }
    if isFirst { stop() }
    let until = isFirst ? deadline : client.endpoint.now() + ttl
    let answer = await client.giveBack(id, early: early, until: until)
    status.withLock { $0.reading }?.cancel()
    let problem = answer?.problem
    status.withLock { status in
      if let problem, isFirst { status.phase = .lost(LeaseLost(keys, problem.members, problem: problem)) }
      if let answer, problem == nil { status.keptUntil = answer.json["kept_until"].string }
    }
    // What nobody heard yet was held all the same.
    return isFirst && answer.map { $0.status < 300 } ?? true
  }

  /// Takes the locks that an answer names.
  func takeLocks(_ json: JSON) { status.withLock { $0.locks = GrantedLock.list(json) } }

  /// Calls something once it is over or asked to yield, or at once where it is.
  func onEnd(orYield hearsOfYield: Bool = false, _ call: @escaping @Sendable () -> Void) {
    let isOver = status.withLock { status in
      guard status.phase == .held, !(hearsOfYield && status.isAskedToYield) else { return true }
      status.listeners.append(LeaseStatus.Listener(hearsOfYield: hearsOfYield, call: call))
      return false
    }
    if isOver { call() }
  }

  /// Notes that a newer request of its group waits.
  func askToYield() {
    status.withLock { $0.isAskedToYield = true }
    tell(\.hearsOfYield)
  }

  /// Calls those of the listeners, once.
  private func tell(_ isMeant: (LeaseStatus.Listener) -> Bool) {
    let listeners = status.withLock { status in
      defer { status.listeners.removeAll(where: isMeant) }
      return status.listeners.filter(isMeant)
    }
    for listener in listeners { listener.call() }
  }

  /// Asks the service; a loss is noted, silence is not.
  func confirm() async {
    let request = Request("GET", ["leases", id]).within(client.timeout)
    if let answer: Answer = try? await client.ask(request) { take(answer, isRenewal: false) }
  }

  /// Notes a loss.
  ///
  /// - Parameter mayStand: True where the service may still have it, so that it is worth a release.
  func lose(_ loss: LeaseLost, mayStand: Bool = false) {
    let reading = status.withLock { status -> (Task<Void, Never>?)? in
      guard status.phase == .held else { return nil }
      (status.phase, status.mayStand) = (.lost(loss), mayStand)
      return status.reading
    }
    guard let reading else { return }
    stop()
    reading?.cancel()
  }

  /// Where it stands, after a look at the clock: it may know before any task does (rule 23).
  private var phase: LeaseStatus.Phase {
    let now = client.endpoint.now()
    let overdue = status.withLock { status -> LeaseLost? in
      guard status.phase == .held, status.ends <= now else { return nil }
      let reason = status.stream.suspended < status.deadline ? "connection-closed" : "deadline"
      return status.breaking ?? LeaseLost(keys, reason: reason)
    }
    if let overdue { lose(overdue, mayStand: true) }
    return status.withLock(\.phase)
  }

  private func stop() {
    client.watcher.remove(self)
    alarm.ring()
    tell { _ in true }
  }

  /// Takes what the service said of it.
  private func take(_ answer: Answer, isRenewal: Bool) {
    if answer.json["yield"].bool == true { askToYield() }
    let breakingIn = answer.json["breaking_in_ms"].int ?? 0
    if breakingIn > 0 {
      beginBreaking(answer.json, at: answer.sent + breakingIn * 1_000_000)
    } else if let problem = answer.problem, problem.isGone {
      lose(LeaseLost(keys, problem.members, problem: problem))
    } else if isRenewal, answer.status < 300, let left = answer.json["expires_in_ms"].int {
      status.withLock { status in
        guard status.breaking == nil else { return }
        status.deadline = min(max(status.deadline, answer.sent + left * 1_000_000), end)
      }
    }
  }

  /// Notes that an operator ends it: it is held until then, and renewed no more.
  private func beginBreaking(_ json: JSON, at instant: Int64) {
    let why = LeaseLost(keys, reason: "broken", breakReason: json["break_reason"].string)
    status.withLock { status in
      status.breaking = why
      status.deadline = min(status.deadline, instant)
    }
    beginTiming()
  }

  private func beginTiming() {
    alarm.ring()
    let isTimed = status.withLock { status in
      defer { status.isTimed = true }
      return status.isTimed
    }
    if !isTimed { Task.detached { await self.keepTime() } }
  }
}

extension Lease: CustomStringConvertible {
  /// The lease without its secret.
  public var description: String { "lease \(ref) on \(keys.joined(separator: ", "))" }
}

// What keeps it: the clock and renewals.
extension Lease {
  private static let patienceLeast = Int64(250_000_000)

  /// Renews after a third of the ttl, tries again what failed, and notes the deadline (rule 17).
  private func keepTime() async {
    if keep == .renewal {
      let now = client.endpoint.now()
      status.withLock { $0.renewal.due = min($0.deadline - ttl * 2 / 3, now + ttl / 3) }
    }
    while isHeld {
      let instant = status.withLock { $0.nextLook(before: end) }
      await alarm.sleep(until: instant == .max ? .max : HostClock.monotonic() + (instant - client.endpoint.now()))
      let now = client.endpoint.now()
      guard isHeld, status.withLock({ $0.beginRenewal(dueBy: now, before: end) }) else { continue }
      let (deadline, isAgain) = status.withLock { ($0.deadline, $0.renewal.pause > 0) }
      let patience = Duration.nanoseconds(min(max(ttl / 6, Self.patienceLeast), deadline - now))
      var answer = isAgain ? nil : await client.watcher.renewTogether(self, within: patience)
      if let answer {
        take(answer, isRenewal: true)
      } else {
        answer = try? await sendRenewal(within: patience, isFresh: isAgain)
      }
      status.withLock { $0.renewal.end(answer, ttl: ttl, now: client.endpoint.now()) }
    }
  }

  /// True where its next renewal is for the ttl that it has, and not for less.
  var asksForWholeTTL: Bool { end - client.endpoint.now() >= ttl }

  /// Lets another lease's task renew it where that is due soon; then ``endJoinedRenewal(_:)`` follows.
  func joinsRenewal() -> Bool {
    let soon = client.endpoint.now() + ttl / 12
    return keep == .renewal && asksForWholeTTL && status.withLock { $0.beginRenewal(dueBy: soon, before: end) }
  }

  /// Takes its part of an answer to several; without one it is renewed by itself when that is due.
  func endJoinedRenewal(_ part: Answer?) {
    if let part { take(part, isRenewal: true) }
    status.withLock { status in
      if let part {
        status.renewal.end(part, ttl: ttl, now: client.endpoint.now())
      } else {
        status.renewal.isUnderWay = false
      }
    }
    alarm.ring()
  }

  private func sendRenewal(
    within patience: Duration, isFresh: Bool, note: String? = nil
  ) async throws(ClientError) -> Answer {
    var request = Request("POST", ["leases", id, "renew"], query: note.map { [("note", $0)] } ?? [])
    request.timeout = patience
    let left = Duration.nanoseconds(end - client.endpoint.now())
    // The last one does not reach beyond what it may last (rule 18).
    if left < .nanoseconds(ttl) { request.query.append((name: "ttl", value: max(left, Wish.ttlLeast).wireText)) }
    let answer = try await client.ask(request, isFresh: isFresh)
    take(answer, isRenewal: true)
    return answer
  }
}

// What keeps it: the lines of a stream.
extension Lease {
  /// A held stream has a line every few seconds; before two were seen nobody knows how few.
  private static let silence = Int64(20_000_000_000)

  /// The time after a restart in which the service binds a lease to another stream, in nanoseconds; 0 for none.
  private static func grace(_ answer: Answer) -> Int64 { (answer.json["recovery_grace_ms"].int ?? 0) * 1_000_000 }

  /// Reads the lines of a held stream; one that ends with the service is opened again (rule 14).
  private func follow(_ first: LineStream) async {
    var stream: LineStream? = first
    while let open = stream {
      guard let reason = await readWatched(open) else { return }
      let isOver = status.withLock { status in
        if status.stream.grace == 0 || reason == "silent" { return true }
        status.stream.suspended = status.stream.seen + status.stream.grace
        return false
      }
      if isOver { return lose(LeaseLost(keys, reason: reason)) }
      beginTiming()
      stream = await openAgain()
    }
  }

  /// Reads to the end while looks note when the stream stood; answers with a reason where the service gave none.
  private func readWatched(_ stream: LineStream) async -> String? {
    let (grace, start) = status.withLock { status in
      status.stream.seen = client.endpoint.now()
      return (status.stream.grace, status.stream.seen)
    }
    let looks = Task.detached {
      var looked = start
      while grace > 0 {
        await TaskAlarm().sleep(until: HostClock.monotonic() + grace / 8)
        if Task.isCancelled { return }
        // It stood at a look after which the program ran, and did not see its end.
        self.status.withLock { if $0.stream.suspended == .max { $0.stream.seen = looked } }
        looked = self.client.endpoint.now()
      }
    }
    defer { looks.cancel() }
    return await read(stream)
  }

  private func read(_ stream: LineStream) async -> String? {
    var (last, longest, beats) = (client.endpoint.now(), Int64(0), 0)
    do throws(ClientError) {
      while let line = try await stream.next(within: .nanoseconds(beats < 2 ? Self.silence : 4 * longest)) {
        let now = client.endpoint.now()
        (last, longest, beats) = (now, max(longest, now - last), beats + 1)
        let said = JSON(Array(line.utf8)) ?? .null
        if said["yield"].bool == true { askToYield() }
        if let left = said["breaking_in_ms"].int, left > 0 { beginBreaking(said, at: now + left * 1_000_000) }
        if said["ended"].string != nil {
          lose(LeaseLost(keys, said, breakReason: status.withLock { $0.breaking?.breakReason }))
          return nil
        }
      }
    } catch .timedOut {
      return "silent"
    } catch {}
    return "connection-closed"
  }

  /// Binds it to another stream before the grace is over; `nil` when it is over.
  private func openAgain() async -> LineStream? {
    var pause = Duration.milliseconds(50)
    while isHeld, !Task.isCancelled {
      let patience = min(client.timeout, remaining ?? client.timeout)
      if let (answer, stream) = try? await client.hold(Request("POST", ["leases", id, "hold"]).within(patience)) {
        if let stream {
          if resume(answer) { return stream }
        } else if answer.isGone {
          take(answer, isRenewal: false)
        } else if answer.status < 500, answer.status != 429 {
          lose(LeaseLost(keys, reason: "connection-closed"))
        }
      }
      await TaskAlarm().sleep(until: HostClock.monotonic(after: pause))
      pause = min(pause * 2, .milliseconds(500))
    }
    return nil
  }

  /// Notes that it lives by another stream, unless it was over before.
  private func resume(_ answer: Answer) -> Bool {
    isHeld
      && status.withLock { status in
        guard status.phase == .held else { return false }
        (status.stream.grace, status.stream.suspended) = (Self.grace(answer), .max)
        return true
      }
  }
}

/// The state of a lease; ``Lease`` guards it.
struct LeaseStatus {
  enum Phase: Equatable {
    case held
    case released
    case lost(LeaseLost)
  }

  /// A stream that ended with the service can be opened again in the grace, counted from when it was seen to stand.
  struct Stream {
    var grace = Int64(0)
    var seen = Int64(0)
    /// Until when the lease is held although its stream has ended.
    var suspended = Int64.max
  }

  /// The next renewal of a lease with a ttl (rule 17).
  struct Renewal {
    private static let pauseFirst = Int64(100_000_000)

    /// On the client's clock.
    var due = Int64.max
    private(set) var pause = Int64(0)
    /// True while a task asks for it, its own or that of another lease.
    var isUnderWay = false

    /// Notes how one ended, which was tried again after a failure.
    mutating func end(_ answer: Answer?, ttl: Int64, now: Int64) {
      isUnderWay = false
      if let answer, answer.status < 300 {
        (due, pause) = (answer.sent + ttl / 3, 0)
      } else {
        pause = min(max(2 * pause, Self.pauseFirst), max(ttl / 6, Self.pauseFirst))
        due = now + pause
      }
    }
  }

  struct Listener {
    /// True where it hears, too, that the holder is asked to yield.
    let hearsOfYield: Bool
    let call: @Sendable () -> Void
  }

  var phase = Phase.held
  /// On the client's clock.
  var deadline: Int64
  /// Why it will be lost at its deadline, where an operator ends it (rule 26).
  var breaking: LeaseLost?
  /// True where the service may still have it although it is lost here.
  var mayStand = false
  /// True while a task looks at the deadline.
  var isTimed = false
  var stream = Stream()
  var renewal = Renewal()
  var locks: [GrantedLock]
  var keptUntil: String?
  var isAskedToYield = false
  var listeners: [Listener] = []
  var reading: Task<Void, Never>?

  init(deadline: Int64, _ answer: Answer, grace: Int64) {
    self.deadline = deadline
    stream.grace = grace
    locks = GrantedLock.list(answer.json)
    keptUntil = answer.json["kept_until"].string
  }

  /// When it counts as lost at the latest, on the client's clock.
  var ends: Int64 { min(deadline, stream.suspended) }

  /// When its own task has something to do; `end` is what the last renewal reaches.
  func nextLook(before end: Int64) -> Int64 { mayRenew(before: end) ? min(renewal.due, ends) : ends }

  /// Begins the next renewal, where that is due by an instant.
  mutating func beginRenewal(dueBy instant: Int64, before end: Int64) -> Bool {
    guard mayRenew(before: end), renewal.due <= instant else { return false }
    renewal.isUnderWay = true
    return true
  }

  private func mayRenew(before end: Int64) -> Bool {
    phase == .held && breaking == nil && deadline < end && !renewal.isUnderWay
  }
}

/// One of the locks of a lease.
public struct GrantedLock: Sendable, Equatable {
  /// Its name.
  public let key: String
  /// Grows with every grant of this lock; one that was added to a lease has its own.
  public let fence: Int64
  /// The names of its slots, where they have names.
  public let slots: [String]

  static func list(_ lease: JSON) -> [GrantedLock] {
    (lease["locks"].elements.isEmpty ? [lease] : lease["locks"].elements).map { lock in
      GrantedLock(
        key: lock["key"].string ?? "", fence: lock["fence"].int ?? lease["fence"].int ?? 0,
        slots: lock["slots"].elements.compactMap(\.string))
    }
  }
}

internal import LeaseholdHost

/// The pace at which this server hears of changes.
///
/// While a caller here waits for a change, each is heard at once. Else, of more than ten in a second, several are heard
/// together: to tell each server of each change by itself costs the cluster more than the change. Instants are
/// nanoseconds of CLOCK_MONOTONIC.
struct WatchPace: Sendable {
  /// The most messages in a second that are heard one by one where no caller waits.
  private static let singlesMax = 10
  /// The time between two watches where more come.
  static let rest: Int64 = 250_000_000
  /// The time for which changes are heard at once after the last one who waited.
  static let linger: Int64 = 1_000_000_000
  /// The time in which a new watch has told of what it missed: etcd sees to that ten times a second.
  private static let settling: Int64 = 150_000_000
  /// The time in which a watch tells of a write, where it is well.
  private static let silenceMax: Int64 = 400_000_000

  private enum Phase {
    /// Nothing is heard.
    case away
    /// A watch has begun, and has perhaps to tell of what came before.
    case behind(since: Int64)
    /// Each change is heard when it comes.
    case current
  }

  private var phase = Phase.away
  private var wantedUntil: Int64 = 0
  /// The messages that were heard in a second, and since when that one is.
  private var heard: (count: Int, since: Int64) = (0, 0)
  /// The last write of ours.
  private var written: Int64 = 0
  /// The first write of ours that the watch has still to tell of, and since when.
  private var untold: (revision: Int64, since: Int64)?
  /// Callers that wait until this server has caught up.
  private var sleepers: [Alarm] = []

  /// A caller waits for changes.
  mutating func want(at now: Int64) { wantedUntil = now + Self.linger }

  /// Tells whether each change is to be heard at once.
  func isWanted(at now: Int64) -> Bool { now < wantedUntil }

  /// A watch begins, or ends.
  mutating func turn(isOpen: Bool, at now: Int64) {
    phase = isOpen ? .behind(since: now) : .away
    untold?.since = now
    wake()
  }

  /// A watch says which revision was the newest when it began.
  ///
  /// - Parameter seen: All changes up to this one were heard.
  mutating func begin(at head: Int64, seen: Int64) { if head <= seen { settle() } }

  /// Tells whether the next changes may gather, as many came in this second.
  var isBusy: Bool { heard.count > Self.singlesMax }

  /// Changes were heard, up to a revision.
  mutating func hear(upTo seen: Int64, at now: Int64) {
    if now - heard.since >= 1_000_000_000 { heard = (0, now) }
    heard.count += 1
    if case .behind = phase { settle() }
    if seen >= written { wake() }
  }

  private mutating func settle() {
    phase = .current
    wake()
  }

  private mutating func wake() {
    for sleeper in sleepers { sleeper.ring() }
  }

  /// Notes a write of ours.
  mutating func wrote(_ revision: Int64, seen: Int64, at now: Int64) {
    written = max(written, revision)
    if seen < revision { untold = untold ?? (revision, now) }
  }

  /// Tells whether the watch should have told of a write of ours long since; says so once a while.
  ///
  /// A member that is cut off, or stopped, keeps its watches open.
  mutating func isSilent(seen: Int64, at now: Int64) -> Bool {
    guard let (revision, since) = untold else { return false }
    if seen >= revision {
      untold = nil
      return false
    }
    if case .away = phase { return false }
    guard now - since > Self.silenceMax else { return false }
    untold = (revision, now + Self.silenceMax)
    return true
  }

  /// Says when it may have caught up: now or earlier where it has.
  ///
  /// - Returns: `nil` where that is not known.
  func settles(seen: Int64) -> Int64? {
    switch phase {
    case .away: nil
    case .behind(let since): since + Self.settling
    case .current: seen >= written ? 0 : nil
    }
  }

  /// Rings when it has caught up.
  mutating func add(_ sleeper: Alarm) { sleepers.append(sleeper) }

  /// Forgets a sleeper.
  mutating func remove(_ sleeper: Alarm) { sleepers.removeAll { $0 === sleeper } }
}

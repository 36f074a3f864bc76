internal import EtcdGateway
internal import Leasehold
internal import LeaseholdHost
internal import LeaseholdQueue
import Synchronization

// The thread that follows the cluster.
extension EtcdLockService {
  /// Reads all locks at one revision; each page may take as long as a call.
  func look() throws(EtcdFailure) {
    let listing = try gateway.list(state.withLock { $0.view.needs }, by: 20_000) { Self.deadline() }
    take { $0.replace(by: listing) }
  }

  /// Follows the cluster until the service stops.
  func follow() {
    var mustLook = false
    while !isStopped.load(ordering: .relaxed) {
      do throws(EtcdFailure) {
        if mustLook { try look() }
        mustLook = false
        let from = state.withLock { $0.view.revision + 1 }
        let keys = store.names.followed
        let watch = try gateway.watch(.range(keys.first, end: keys.end), from: from, before: Self.deadline())
        self.watch.withLock { $0 = watch }
        state.withLock { $0.pace.turn(isOpen: true, at: HostClock.monotonic()) }
        tell(.watch, fault: nil)
        let end = hear(watch)
        watch.cancel()
        self.watch.withLock { $0 = nil }
        state.withLock { state in
          state.pace.turn(isOpen: false, at: HostClock.monotonic())
          state.cluster.watchRestarts += end == .rest || isStopped.load(ordering: .relaxed) ? 0 : 1
        }
        mustLook = end == .compacted
        if end == .rest { rest() }
      } catch {
        tell(.watch, fault: error.reason)
        HostClock.sleep(nanoseconds: Self.second / 5)
      }
    }
  }

  /// The reason why a watch is heard no longer.
  private enum WatchEnd {
    case ended
    /// The store has forgotten changes that came meanwhile.
    case compacted
    /// The next change can wait, as no caller does.
    case rest
  }

  /// Hears a watch to its end.
  private func hear(_ watch: EtcdWatch) -> WatchEnd {
    while !isStopped.load(ordering: .relaxed) {
      switch watch.next(before: HostClock.monotonic() + Self.second) {
      case .changes(let events, _)?:
        take { $0.apply(events) }
        if state.withLock({ $0.pace.isBusy && !$0.isHurried(at: HostClock.monotonic()) }) { return .rest }
      case .compacted?: return .compacted
      case .ended?: return .ended
      case .created(let head)?: state.withLock { $0.pace.begin(at: head, seen: $0.view.revision) }
      case .progress?, nil: continue
      }
    }
    return .ended
  }

  /// Lets changes gather, as long as nobody waits for one.
  private func rest() {
    let until = HostClock.monotonic() + WatchPace.rest
    while !isStopped.load(ordering: .relaxed) {
      let now = HostClock.monotonic()
      guard now < until, !state.withLock({ $0.isHurried(at: now) }) else { return }
      hurry.sleep(until: until)
    }
  }

  /// Hears each change at once for a while.
  func hurryUp() {
    state.withLock { $0.pace.want(at: HostClock.monotonic()) }
    hurry.ring()
  }

  /// The longest time that a look waits for what came before it.
  static let catchUpMax: Int64 = 300_000_000

  /// Waits until what was written before is seen, for a moment at most.
  func catchUp() {
    let end = HostClock.monotonic() + Self.catchUpMax
    let alarm = Alarm()
    var isFirst = true
    while true {
      let now = HostClock.monotonic()
      let wakes = state.withLock { state -> Int64? in
        state.pace.want(at: now)
        let settles = state.pace.settles(seen: state.view.revision) ?? end
        guard settles > now, now < end else {
          if !isFirst { state.pace.remove(alarm) }
          return nil
        }
        if isFirst { state.pace.add(alarm) }
        return min(settles, end)
      }
      guard let wakes else { return }
      if isFirst { hurry.ring() }
      isFirst = false
      alarm.sleep(until: wakes)
    }
  }

  /// Finds what this server has heard of; once more a moment later, as another may have written it just before.
  func heard<Found>(_ find: () -> Found?) -> Found? {
    catchUp()
    if let found = find() { return found }
    HostClock.sleep(nanoseconds: Self.second / 10)
    return find()
  }

  /// Notes what fails, or that it works again.
  func tell(_ part: EtcdState.Part, fault: String?) {
    let (before, now) = state.withLock { state in
      let before = state.fault
      state.faults[part] = fault
      return (before, state.fault)
    }
    if (before == nil) != (now == nil) { configuration.onFault(now) }
  }

  /// Takes in what was seen, and tells the waiters and watchers of it.
  private func take(_ body: (inout ClusterView) -> [ClusterView.Change]) {
    let locks = change { state in
      let changes = body(&state.view)
      let now = HostClock.monotonic()
      state.pace.hear(upTo: state.view.revision, at: now)
      var locks: Set<String> = []
      for change in changes {
        locks.insert(change.lock)
        state.note(change, at: now)
      }
      for lock in locks {
        state.notices += state.watches.take(lock).map { watcher in { watcher.lockChanged() } }
      }
      return locks.sorted()
    }
    judge(locks)
  }
}

extension EtcdState {
  /// Notes what was seen of a change, and whom it is to be told.
  fileprivate mutating func note(_ change: ClusterView.Change, at now: Int64) {
    switch change {
    case .other: break
    case .resized(let lock, let limit):
      log.append(
        LedgerEvent(
          .resized, EtcdNames.decoded(lock)?.text ?? lock, mode: .exclusive, count: Int32(clamping: limit), at: now,
          ref: 0, fence: 0, text: nil))
    case .put(let entry, let before) where entry.isUpgrade:
      if !entry.value.isWaiting, before.map(\.value.isWaiting) ?? true {
        log.append(Self.event(.converted, entry, at: now))
      }
    case .put(let entry, let before):
      if let end = entry.value.end, before?.value.end != end {
        return breaking(entry, end, at: now)
      }
      log.append(Self.event(Self.kind(of: entry, before), entry, at: now))
    case .lapsed(let entry): over(entry, entry.value.end ?? entry.expiry, at: now)
    case .removed(let entry, _) where entry.isUpgrade:
      if !entry.value.isWaiting, let reader = view.queue(entry.lock).entry(entry.name) {
        log.append(Self.event(.converted, reader, at: now))
      }
    case .removed(let entry, let end):
      if entry.value.isWaiting {
        log.append(Self.event(.left, entry, at: now))
      } else {
        over(entry, end ?? entry.expiry, at: now)
      }
    }
  }

  private static func kind(of entry: QueueEntry, _ before: QueueEntry?) -> EventKind {
    if entry.value.isWaiting { return .waiting }
    guard let before, !before.value.isWaiting else { return .granted }
    return before.value.units == entry.value.units ? .renewed : .converted
  }

  /// An operator ends a lease.
  private mutating func breaking(_ entry: QueueEntry, _ end: EndValue, at now: Int64) {
    // Without a grace its mark is gone with that, which tells of its end.
    guard end.grace > 0 else { return }
    let over = end.over
    var event = Self.event(.breaking, entry, at: now)
    event.breaking = BreakNote(reason: end.note, by: end.by, end: over)
    log.append(event)
    guard var held = held[entry.name] else { return }
    for index in held.grant.entries.indices { held.grant.entries[index].value.end = end }
    held.grant.deadline = min(held.grant.deadline, over.nanoseconds)
    (held.renewsAt, held.taken) = (.max, nil)
    self.held[entry.name] = held
    let note = BreakNote(reason: end.note, by: end.by)
    notices += held.followers.map { client in { client.breaking(at: over, note) } }
  }

  /// A lease is over.
  private mutating func over(_ entry: QueueEntry, _ end: EndValue, at now: Int64) {
    let reason = end.endReason
    ends.note(entry.name, end)
    counters.ended.count(Int(reason.rawValue))
    var event = Self.event(EventKind(reason), entry, at: now)
    event.reason = reason.name
    event.breaking = end.breakNote
    log.append(event)
    self.end(entry.name, reason, event.breaking, at: MonotonicInstant(nanoseconds: now))
  }

  private static func event(_ kind: EventKind, _ entry: QueueEntry, at now: Int64) -> LedgerEvent {
    LedgerEvent(
      kind, EtcdNames.decoded(entry.lock)?.text ?? entry.lock, mode: entry.value.mode,
      count: Int32(clamping: entry.value.count), at: now, ref: entry.value.isWaiting ? 0 : entry.value.refNumber,
      fence: entry.value.isWaiting ? 0 : entry.created, text: entry.value.owner)
  }
}

internal import EtcdGateway
internal import JSONText
internal import Leasehold

/// The transactions of the recipe: each guard makes its writes right, however old the sight was that chose it.
struct Recipe: Sendable {
  /// The most entries of a queue that are read; a longer one has no room.
  static let entriesMax = 2_100
  let layout: EtcdLayout

  /// The wish of an acquire: its entries, their kinds, and the name of its Idempotency-Key.
  struct Wanted: Sendable {
    var place: Place
    var kinds: [LockKind]
    /// The value of the key of its Idempotency-Key, where it has one.
    var retry: (hash: String, value: [UInt8])?
  }

  private func put(_ entries: [QueueEntry], retry: [UInt8]?, on lease: Int64) -> [EtcdOperation] {
    guard let first = entries.first else { return [] }
    let locks = JSON.array(first.allLocks.map { .string($0) }).description
    var steps = entries.map { EtcdOperation.put(layout.entry($0.lock, $0.name), value: $0.value, lease: lease) }
    steps.append(.put(layout.locks(of: first.name), value: Array(locks.utf8), lease: lease))
    if let hash = first.hash {
      let key = layout.idempotency(hash)
      steps.append(retry.map { .put(key, value: $0, lease: lease) } ?? .move(key, lease: lease))
    }
    return steps
  }

  private func delete(_ entries: [QueueEntry], keepsRetry: Bool) -> [EtcdOperation] {
    var steps = entries.map { EtcdOperation.delete(.one(layout.entry($0.lock, $0.name))) }
    guard let first = entries.first else { return steps }
    steps.append(.delete(.one(layout.locks(of: first.name))))
    if let hash = first.hash, !keepsRetry { steps.append(.delete(.one(layout.idempotency(hash)))) }
    return steps
  }

  private func keys(_ entry: QueueEntry) -> EtcdKeys { .one(layout.entry(entry.lock, entry.name)) }

  /// Reads queues, kinds, and the key of a retry: the order of ``sight(_:of:)``.
  private func look(_ locks: [String], retry: String?) -> [EtcdOperation] {
    var steps: [EtcdOperation] = []
    for lock in locks {
      var range = EtcdRange(layout.queue(lock))
      range.limit = Self.entriesMax
      steps += [.range(range), .range(EtcdRange(.one(layout.kind(lock))))]
    }
    if let retry { steps.append(.range(EtcdRange(.one(layout.idempotency(retry))))) }
    return steps
  }

  /// The state of queues, read at one revision.
  struct Sight: Sendable {
    var queues: [LockQueue]
    /// The key of the retry, where it is there.
    var retry: EtcdEntry?
    /// True where a queue is longer than what is read.
    var isCut = false
    /// True where it was read after the request came.
    var isFresh = false
  }

  func sight(_ outcome: EtcdOutcome, of locks: [String]) -> Sight {
    var sight = Sight(queues: [], isFresh: true)
    for (index, lock) in locks.enumerated() where outcome.listings.count > 2 * index + 1 {
      let (entries, kinds) = (outcome.listings[2 * index], outcome.listings[2 * index + 1])
      var queue = LockQueue()
      for entry in entries.entries {
        if case .entry(_, let name) = layout.name(of: entry.key) {
          queue.put(QueueEntry(entry, lock: lock, name: name))
        }
      }
      if let kind = kinds.entries.first {
        (queue.kind, queue.kindModified) = (StoredKind.kind(kind.value), kind.modified)
      }
      queue.revision = outcome.revision
      sight.isCut = sight.isCut || entries.hasMore
      sight.queues.append(queue)
    }
    if outcome.listings.count > 2 * locks.count { sight.retry = outcome.listings[2 * locks.count].entries.first }
    return sight
  }

  /// Reads only, at one revision; by a member that was paused perhaps an old one.
  func read(_ locks: [String], retry: String?) -> EtcdTransaction {
    EtcdTransaction(if: [], then: look(locks, retry: retry))
  }

  /// 1 and 2: puts new entries, on a lease of their own if nothing came into the queues since they were seen, or on a
  /// session.
  func enter(
    _ wanted: Wanted, on lease: Int64, seen queues: [LockQueue], asHolder isHolder: Bool, alone: Bool
  ) -> EtcdTransaction {
    var guards = [EtcdCompare(.created, of: .one(layout.end(of: wanted.place.name)), .equal, 0)]
    var then = put(wanted.place.entries, retry: wanted.retry?.value, on: lease)
    if let retry = wanted.retry {
      guards.append(EtcdCompare(.created, of: .one(layout.idempotency(retry.hash)), .equal, 0))
    }
    for (index, entry) in wanted.place.entries.enumerated() {
      let (queue, kind) = (queues[index], wanted.kinds[index])
      guards.append(EtcdCompare(.created, of: keys(entry), .equal, 0))
      guards.append(EtcdCompare(.modified, of: .one(layout.kind(entry.lock)), .equal, queue.kindModified))
      // Another kind than the one that is there is written only into a queue that is empty, and stays so.
      if queue.kind != kind { then.append(.put(layout.kind(entry.lock), value: StoredKind.value(kind), lease: 0)) }
      if isHolder || alone || queue.kind != kind {
        guards.append(EtcdCompare(.created, of: layout.queue(entry.lock), .less, queue.revision + 1))
      }
    }
    return EtcdTransaction(if: guards, then: then, else: look(wanted.place.locks, retry: wanted.retry?.hash))
  }

  /// 5: puts entries that are held on a lease of their own.
  func bind(_ place: Place, from session: Int64, _ entries: [QueueEntry], on lease: Int64) -> EtcdTransaction {
    let guards = place.entries.flatMap {
      [
        EtcdCompare(.created, of: keys($0), .equal, place.created),
        EtcdCompare(.lease, of: keys($0), .equal, session),
      ]
    }
    return EtcdTransaction(if: guards, then: put(entries, retry: nil, on: lease), else: fate(of: place.entries))
  }

  /// 7 and 8: takes entries over that were seen: waiting ones onto another session, granted ones onto another lease.
  func claim(_ seen: [QueueEntry], as entries: [QueueEntry], on lease: Int64) -> EtcdTransaction {
    EtcdTransaction(if: unchanged(seen), then: put(entries, retry: nil, on: lease), else: fate(of: seen))
  }

  /// 9 and 13: deletes entries that are as they were seen, and remembers the end.
  ///
  /// - Parameter keepsRetry: Whether a retry shall learn of the end.
  func delete(_ seen: [QueueEntry], _ end: StoredEnd, keepsRetry: Bool, on lease: Int64) -> EtcdTransaction {
    var then = delete(seen, keepsRetry: keepsRetry)
    if let first = seen.first {
      then.append(.put(layout.end(of: first.name), value: end.value, lease: lease))
      if keepsRetry, let hash = first.hash { then.append(.move(layout.idempotency(hash), lease: lease)) }
    }
    return EtcdTransaction(if: unchanged(seen), then: then, else: fate(of: seen))
  }

  /// 10: keeps a put whose outcome is unknown from happening later, or tells what became of it.
  func settle(_ place: Place, _ end: StoredEnd, on lease: Int64) -> EtcdTransaction {
    EtcdTransaction(
      if: place.entries.map { EtcdCompare(.created, of: keys($0), .equal, 0) },
      then: [.put(layout.end(of: place.name), value: end.value, lease: lease)], else: fate(of: place.entries))
  }

  /// 11: puts entries that are as they were seen on a younger lease; with another ttl, with their values.
  func renew(_ seen: [QueueEntry], as entries: [QueueEntry]?, on lease: Int64) -> EtcdTransaction {
    let then: [EtcdOperation]
    if let entries {
      then = put(entries, retry: nil, on: lease)
    } else {
      var keys = seen.map { layout.entry($0.lock, $0.name) }
      if let first = seen.first {
        keys.append(layout.locks(of: first.name))
        if let hash = first.hash { keys.append(layout.idempotency(hash)) }
      }
      then = keys.map { .move($0, lease: lease) }
    }
    let fences = seen.map { EtcdCompare(.created, of: keys($0), .equal, $0.created) }
    return EtcdTransaction(if: fences + unchanged(seen), then: then, else: fate(of: seen))
  }

  /// 20: forgets the kind of a lock that nobody uses.
  func collect(_ lock: String, kindModified: Int64) -> EtcdTransaction {
    EtcdTransaction(
      if: [
        EtcdCompare(.created, of: layout.queue(lock), .equal, 0),
        EtcdCompare(.modified, of: .one(layout.kind(lock)), .equal, kindModified),
      ], then: [.delete(.one(layout.kind(lock)))])
  }

  private func unchanged(_ seen: [QueueEntry]) -> [EtcdCompare] {
    seen.map { EtcdCompare(.modified, of: keys($0), .equal, $0.modified) }
  }

  private func fate(of entries: [QueueEntry]) -> [EtcdOperation] {
    entries.map { .range(EtcdRange(keys($0))) } + [.range(EtcdRange(.one(layout.end(of: entries.first?.name ?? ""))))]
  }

  /// The fate of entries, read in an else-branch.
  struct Fate: Sendable {
    /// As they are now; empty where they are not there.
    var entries: [QueueEntry]
    var end: StoredEnd?
  }

  /// Reads what became of entries.
  func read(fateOf entries: [QueueEntry]) -> EtcdTransaction { EtcdTransaction(if: [], then: fate(of: entries)) }

  func fate(_ outcome: EtcdOutcome, of entries: [QueueEntry]) -> Fate {
    var fate = Fate(entries: [])
    for (index, entry) in entries.enumerated() where index < outcome.listings.count {
      if let found = outcome.listings[index].entries.first {
        fate.entries.append(QueueEntry(found, lock: entry.lock, name: entry.name))
      }
    }
    // Entries of one lease come and go together.
    if fate.entries.count < entries.count { fate.entries = [] }
    fate.end = outcome.listings.last.flatMap { $0.entries.first }.flatMap { StoredEnd($0.value) }
    return fate
  }
}

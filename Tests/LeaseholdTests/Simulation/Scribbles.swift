import Leasehold
import LeaseholdTestKit

/// A daemon with some of everything in its ledger, and somebody who writes into its shared memory.
final class Scribbles {
  let scene: Scene
  private var random: SeededRandom
  /// What was written, for who has to repeat it.
  private(set) var log: [String] = []
  private var granted: [LeaseID] = []

  private static let records = 96
  private static let long = String(repeating: "long", count: 50)

  init(seed: UInt64) {
    random = SeededRandom(seed: seed)
    var limits = Limits()
    limits.idleLocks = .seconds(5)
    limits.tombstones = 6
    scene = Scene(limits, records: Self.records)
    fill()
    scene.history.letGo { _ in true }
  }

  private func fill() {
    scene.acquire("ann") { $0.owner = "ann" }
    scene.acquire("bob", Self.long) {
      ($0.limit, $0.count, $0.owner, $0.idempotencyKey) = (4, 2, String(Self.long.prefix(120)), Self.long)
    }
    for who in ["cat", "dan"] { scene.acquire(who, "readers") { $0.mode = .shared } }
    scene.acquire("eve", several: ["s", "t", "u"]) { $0[1].mode = .shared }
    scene.acquire("fay", "cools") { ($0.ttl, $0.cooldown) = (.milliseconds(100), .seconds(60)) }
    scene.acquire("gus", "bound") { ($0.bindsConnection, $0.ttl) = (true, .zero) }
    scene.acquire("hal", "process") { [scene] in
      ($0.process, $0.ttl) = (ProcessBinding(scene.daemon.processes.run(7), name: 7), .zero)
    }
    scene.acquire("ida", "ended")
    scene.release("ida")
    scene.acquire("jim", "broken")
    scene.breaks("jim", after: .seconds(20))
    scene.acquire("kay", "handed")
    scene.transfer("kay", to: "lea", owner: Self.long.prefix(100).description)
    scene.acquire("mia", "php:1234") { ($0.native, $0.limit, $0.count) = (Scene.php, 3, 2) }
    scene.acquire("ned", "apache:x") { ($0.native, $0.mode) = (Scene.apache("x"), .shared) }
    scene.acquire("oda", "path:/tmp/x") { $0.native = Scene.path([3]) }
    let set = scene.kernel.makeForeignSet(key: 5, [4, 4])
    scene.acquire("pat", "sysv:id:\(set).1") { ($0.native, $0.count, $0.limit) = (Scene.semaphore(set, 1), 2, 4) }
    scene.convert("cat", to: .shared)
    scene.pass(.seconds(1))
  }

  // MARK: Writing

  /// Writes over a word, or some.
  func scribble() {
    // A forged record may put a lease on another lock: what counts is what is granted from here on.
    granted = []
    for _ in 0..<Int.random(in: 1...3, using: &random) {
      switch Int.random(in: 0..<10, using: &random) {
      case 0: scribbleHeader()
      case 1: copyRecord()
      case 2, 3: scribbleCommitWord()
      default: scribbleBody()
      }
    }
  }

  private var storage: MemoryStorage { scene.daemon.storage }
  private var cell: Int { Int.random(in: 0..<40, using: &random) }

  private func scribbleHeader() {
    guard let word = HeaderWord.allCases.randomElement(using: &random) else { return }
    let value = value(instead: UInt64(bitPattern: storage.header(word).clamped(to: Int64.min...Int64.max)))
    storage.setHeader(word, value)
    log.append("header \(word) = \(value)")
  }

  private func scribbleBody() {
    let (cell, word) = (cell, Int.random(in: 0..<15, using: &random))
    let old = storage.body(at: cell).words[word]
    let new = value(instead: old)
    storage.scribble(old ^ new, word: word, at: cell)
    log.append("word \(word) of \(cell) = \(new)")
    guard random.once(in: 2) else { return }
    // As by somebody who knows the layout.
    storage.scribble(storage.commitWord(at: cell).checking(storage.body(at: cell)), at: cell)
    log.append("check of \(cell)")
  }

  private func scribbleCommitWord() {
    let (cell, old) = (cell, storage.commitWord(at: cell).rawValue)
    let new = random.once(in: 2) ? old & ~0xff | UInt64.random(in: 0...48, using: &random) : value(instead: old)
    storage.scribble(CommitWord(rawValue: new), at: cell)
    log.append("commit word of \(cell) = \(new)")
  }

  private func copyRecord() {
    let (from, to) = (cell, cell)
    for word in 0..<15 {
      storage.scribble(storage.body(at: to).words[word] ^ storage.body(at: from).words[word], word: word, at: to)
    }
    storage.scribble(storage.commitWord(at: from), at: to)
    log.append("\(to) = \(from)")
  }

  private func value(instead old: UInt64) -> UInt64 {
    let bit: UInt64 = 1 << UInt64.random(in: 0..<64, using: &random)
    return random.pick([
      0, .max, 1 << 63, .max >> 1, 1 << 62, old &+ 1, old &- 1, old ^ bit, random.next(), old << 32 | old >> 32,
      old | 0xffff_ffff, old & 0xffff_ffff, UInt64(UInt32.max) << 32 | old & 0xffff_ffff,
    ])
  }

  // MARK: Going on

  /// What callers do, whatever they meet.
  func serve() {
    for who in ["ann", "bob", "cat", "eve", "gus", "mia", "ned", "oda", "pat", "lea"] where random.once(in: 3) {
      switch Int.random(in: 0..<5, using: &random) {
      case 0: scene.renew(who, ttl: .seconds(5))
      case 1: scene.convert(who, to: random.pick([.shared, .exclusive]))
      case 2: scene.transfer(who, to: who)
      case 3: scene.breaks(who, after: .seconds(1))
      default: scene.release(who)
      }
    }
    for (key, change) in requests() {
      scene.acquire("new", key, change)
      if let lease = scene.leases["new"] { granted.append(lease.id) }
    }
    scene.acquire("several", several: ["s", "t", "new"])
    scene.pass(.milliseconds(Int64.random(in: 0...4000, using: &random)))
    scene.keepHouse()
  }

  private func requests() -> [(String, (inout AcquireRequest) -> Void)] {
    var all: [(String, (inout AcquireRequest) -> Void)] = []
    for key in ["a", "readers", "s", "t", "cools", "bound", "process", "ended", "broken", "handed", "another"] {
      all.append((key, { $0.owner = "new" }))
    }
    all.append((Self.long, { ($0.limit, $0.count) = (4, 3) }))
    all.append(("php:1234", { ($0.native, $0.limit, $0.count) = (Scene.php, 3, 2) }))
    all.append(("apache:x", { $0.native = Scene.apache("x") }))
    all.append(("path:/tmp/x", { ($0.native, $0.limit, $0.count) = (Scene.path([3]), 3, 3) }))
    return all
  }

  // MARK: Checking

  /// Nothing that is granted now is more than a lock has, whatever the records say.
  func flaws() -> [String] {
    var wrong: [String] = []
    let live = granted.compactMap { try? scene.ledger.lease($0) }
    for (key, leases) in Dictionary(grouping: live, by: \.key) {
      let live = leases.reduce(0) { $0 + $1.units }
      // What a record says of the limit of a native lock may be forged: the kernel counts.
      let isNative = leases[0].place.semaphoreCount != NamedDialect.semaphoresPerBank
      let own = leases[0].kind == .readersWriter ? Limits.readerUnits : leases[0].kind.limit ?? 0
      let capacity = isNative ? 3 : own
      if live > capacity { wrong.append("\(live) units of '\(key)' were granted, it has \(capacity): \(leases)") }
    }
    for lock in scene.ledger.locks(ListFilter()).entries {
      guard lock.place.semaphoreCount == NamedDialect.semaphoresPerBank, let capacity = lock.capacity,
        lock.heldUnits > capacity
      else { continue }
      let before = scene.leases["new"]?.id
      scene.acquire("new", lock.key.text)
      if let id = scene.leases["new"]?.id, id != before {
        wrong.append("'\(lock.key)' has \(lock.heldUnits), and grants")
      }
    }
    return wrong
  }
}

extension CommitWord {
  /// The same word with the check of another body.
  fileprivate func checking(_ body: CellBody) -> CommitWord {
    CommitWord(rawValue: rawValue & 0xffff_ffff | UInt64(body.knownCheck) << 32)
  }
}

extension CellBody {
  /// The check as it is written down in the sources, for who forges a record.
  fileprivate var knownCheck: UInt32 {
    var hash: UInt64 = 0x9e37_79b9_7f4a_7c15
    for index in 2..<15 {
      hash = (hash ^ words[index]) &* 0xff51_afd7_ed55_8ccd
      hash = hash << 29 | hash >> 35
    }
    return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
  }
}

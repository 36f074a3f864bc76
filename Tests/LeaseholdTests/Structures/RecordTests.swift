import LeaseholdTestKit
import Testing

@testable import Leasehold

@Suite struct RecordTests {
  /// A lease with random contents.
  static func lease(seed: UInt64) -> LeaseRecord {
    var random = SeededRandom(seed: seed)
    let peer = random.pick([
      Peer.unknown, .ipv4(.random(in: 0 ... .max, using: &random), port: .random(in: 0 ... .max, using: &random)),
      .local(pid: .random(in: 0 ... .max, using: &random), uid: .random(in: 0 ... .max, using: &random), gid: .max),
    ])
    let long = Int64(UInt32.max)
    let adjustments = random.pick([0, 1, Limits.adjustments])
    return LeaseRecord(
      id: LeaseID(high: random.next(), low: random.next()), fence: .random(in: 1 ... .max, using: &random),
      grantedAt: MonotonicInstant(nanoseconds: .random(in: 0...Limits.instant, using: &random)),
      deadline: .random(in: 0...Limits.instant, using: &random),
      endedAt: .random(in: -Limits.instant...Limits.instant, using: &random),
      lockCell: .random(in: 0...Int(UInt32.max), using: &random), units: .random(in: 1...32_767, using: &random),
      ttl: .milliseconds(.random(in: 0...long, using: &random)),
      cooldown: .milliseconds(.random(in: 0...long, using: &random)), count: .random(in: 1...32_767, using: &random),
      mode: random.pick([.exclusive, .shared]), bindsConnection: .random(using: &random), fingerprint: random.next(),
      waited: .milliseconds(.random(in: 0...long, using: &random)), peer: peer,
      ownerLength: random.pick([nil, 0, 128]), keyLength: .random(in: 0...255, using: &random),
      nameLength: adjustments > 0 ? 0 : .random(in: 0...255, using: &random), adjustmentCount: adjustments,
      bindsProcess: .random(using: &random), textCell: .random(in: 0 ... .max, using: &random))
  }

  /// Another sum means another layout: leases would not live through an upgrade (`make upgrade` tries it).
  @Test func theLayoutOfRecordsIsThatOfTheLastRelease() {
    #expect(Self.sum { Self.lease(seed: $0).body } == 11_967_309_588_310_641_792)
    #expect(Self.sum { Self.lock(seed: $0).body } == 17_707_808_629_934_341_421)
  }

  private static func sum(_ body: (UInt64) -> CellBody) -> UInt64 {
    var sum: UInt64 = 0xcbf2_9ce4_8422_2325
    for seed in 0..<200 as Range<UInt64> {
      let words = body(seed).words
      for word in words.indices { sum = (sum ^ words[word]) &* 0x100_0000_01b3 }
    }
    return sum
  }

  @Test(arguments: 0..<200 as Range<UInt64>) func aLeaseSurvivesItsRecord(_ seed: UInt64) throws {
    let lease = Self.lease(seed: seed)
    let read = try #require(LeaseRecord(lease.body))
    #expect("\(read)" == "\(lease)")
  }

  /// A lock with random contents.
  private static func lock(seed: UInt64) -> LockRecord {
    var random = SeededRandom(seed: seed)
    let limit = Int.random(in: 1...32_767, using: &random)
    let ledger = Int.random(in: 0..<64, using: &random)
    var layout = random.pick([
      LockLayout.named(isCounting: false), .named(isCounting: true), .apache, .operations,
      .counter(ledger: nil, isPath: false), .counter(ledger: UInt16(ledger), isPath: true),
    ])
    let semaphores = 2 * Int.random(in: 32...96, using: &random) + CounterDialect.trailerSemaphores
    var place: Int?
    if case .counter(_?, let isPath) = layout {
      place = ledger % 32
      let slots = (semaphores - CounterDialect.trailerSemaphores) / 2
      layout = .counter(ledger: UInt16(slots + ledger % 32), isPath: isPath)
    }
    return LockRecord(
      lastUse: .random(in: 0...Limits.instant, using: &random), set: .random(in: 0 ... .max, using: &random),
      sysvKey: .random(in: .min ... .max, using: &random),
      place: place ?? .random(in: layout.places(of: semaphores), using: &random),
      layout: layout, capacity: Self.capacity(of: layout, limit, &random), semaphoreCount: semaphores,
      firstFence: .random(in: 0 ... .max, using: &random), isDamaged: random.once(in: 2),
      keyLength: .random(in: 1...255, using: &random), textCell: .random(in: 0 ... .max, using: &random))
  }

  @Test(arguments: 0..<200 as Range<UInt64>) func aLockSurvivesItsRecord(_ seed: UInt64) throws {
    let lock = Self.lock(seed: seed)
    let read = try #require(LockRecord(lock.body))
    #expect("\(read)" == "\(lock)")
  }

  private static func capacity(of layout: LockLayout, _ limit: Int, _ random: inout SeededRandom) -> Int? {
    if layout == .named(isCounting: false) { return Limits.readerUnits }
    if layout == .named(isCounting: true) { return limit }
    return random.once(in: 2) ? nil : .random(in: 1...32_767, using: &random)
  }

  @Test func aSharedSegmentSaysNothingThatIsTrustedForASize() {
    var random = SeededRandom(seed: 7)
    for _ in 0..<20_000 {
      var body = CellBody()
      for word in 0..<15 { body.words[word] = random.once(in: 3) ? 0 : random.next() }
      if let lease = LeaseRecord(body) {
        #expect((1...32_767).contains(lease.units) && lease.textLength <= 128 + 255 + 255)
      }
      if let lock = LockRecord(body) {
        #expect((1...32_767).contains(lock.capacity ?? 1) && lock.keyLength > 0)
        #expect(lock.layout.places(of: lock.semaphoreCount).contains(lock.place))
      }
    }
  }

  @Test func theCheckCoversEveryBitThatDoesNotChangeInPlace() {
    let body = Self.lease(seed: 3).body
    for word in 0..<15 {
      for bit in 0..<64 {
        var other = body
        other.words[word] ^= 1 << UInt64(bit)
        #expect((other.check == body.check) == (word < 2), "bit \(bit) of word \(word)")
      }
    }
  }

  @Test(arguments: [0, 1, 7, 8, 9, 24]) func bytesSurviveWords(_ count: Int) {
    let bytes = (0..<count).map { UInt8($0 * 37 & 255) }
    var body = CellBody()
    body.put(bytes, from: LeaseRecord.inlineWord)
    #expect(body.take(count, from: LeaseRecord.inlineWord) == bytes)
  }
}

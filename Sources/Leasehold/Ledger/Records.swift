/// A lease as it stands in a record of 128 bytes.
///
/// ```
///  word 0  deadline, ns of CLOCK_MONOTONIC, 0 = none (changes in place); with 5 in the upper three bits where the
///          lease was bound to a connection after its grant
///  word 1  end, ns; negative when an operator ends it, before its end too; while it is held, the end of the grace
///          that it got after a restart (changes in place); of a record that is arming or disarming where natives
///          count, too, a ``CountWitness``, which is later than any instant
///  word 2,3  id      word 4  fence     word 5  granted at, ns     word 6  lock's record | units << 32
///  word 7  ttl ms | cooldown ms << 32  word 8  count | mode << 16 | bound << 24 | endless << 25 | text's record << 32
///  word 9  fingerprint of the request  word 10 owner length + 1 | key length << 8 | peer kind << 16
///                                              | name length << 24 | waited ms << 32
///          (the high half of the fingerprint is the caller's)
///          with bit 27 of word 8 it is a part of the lease with the same fence: that one has the deadline
///          with bit 26 of word 8 the name's length is the number of adjustments, four bytes each, in its place;
///          with bit 29 word 9 is the low half of the id that it goes on for, and a live record of that id is over;
///          of a part it is the fence of those that it was added to, with all parts that have its own fence;
///          with bit 28 the process that it ends with stands between Idempotency-Key and name: 20 bytes;
///          with bit 30 the fence that its parts have, 8 bytes, stands behind that: it is not its own after a transfer;
///          with bit 31 the time that it holds its slots at least, in ms, 4 bytes, stands behind that
///          with bit 22 of word 10 its process is stopped before its slots go on: the cooldown of word 7 is the time
///          from TERM to KILL
///          with bit 23 of word 10 word 14 is its slots, a bit for each place of the lock's names; texts have the words
///          before it
///  word 11 peer      words 12...14  owner, Idempotency-Key and own name when they fit 24 bytes, else in text records
/// ```
struct LeaseRecord {
  var id: LeaseID
  var fence: Int64
  var grantedAt: MonotonicInstant
  var deadline: Int64
  var endedAt: Int64 = 0
  var lockCell: Int
  var units: Int
  var ttl: TimeSpan
  var cooldown: TimeSpan
  var count: Int
  var mode: LockMode
  private var flags: Flags
  /// True when it was bound to its connection after the grant: the deadline's word says so, in one store.
  var isAttached = false
  /// True when its process is stopped before its slots go on: the cooldown is the time from TERM to KILL.
  var stops = false
  /// The fingerprint, or the predecessor.
  private var origin: UInt64
  var waited: TimeSpan
  var peer: Peer
  /// The owner's length + 1, 0 for none; the other lengths.
  private var lengths: (owner: UInt8, key: UInt8, name: UInt8, adjustments: UInt8)
  var textCell: UInt32
  /// The slots with names that it has, a bit for each place of the lock's names.
  var slots: UInt64 = 0

  /// The upper byte of word 8's lower half.
  struct Flags: OptionSet {
    let rawValue: UInt8
    /// It ends with its connection.
    static let bound = Flags(rawValue: 1 << 0)
    static let endless = Flags(rawValue: 1 << 1)
    static let adjusting = Flags(rawValue: 1 << 2)
    /// It is a part of the lease that has the same fence.
    static let part = Flags(rawValue: 1 << 3)
    /// It ends with a process.
    static let process = Flags(rawValue: 1 << 4)
    static let successor = Flags(rawValue: 1 << 5)
    /// Its parts have another fence.
    static let group = Flags(rawValue: 1 << 6)
    /// It holds its slots for some time at least.
    static let atLeast = Flags(rawValue: 1 << 7)
  }

  /// True when it has a flag.
  @inline(__always)
  subscript(_ flag: Flags) -> Bool {
    get { flags.contains(flag) }
    set { if newValue { flags.insert(flag) } else { flags.remove(flag) } }
  }

  @inline(__always)
  init(
    id: LeaseID, fence: Int64, grantedAt: MonotonicInstant, deadline: Int64, endedAt: Int64 = 0, lockCell: Int,
    units: Int, ttl: TimeSpan, cooldown: TimeSpan, count: Int, mode: LockMode, bindsConnection: Bool,
    isEndless: Bool = false, fingerprint: UInt64, waited: TimeSpan, peer: Peer, ownerLength: Int?, keyLength: Int,
    nameLength: Int = 0, adjustmentCount: Int = 0, bindsProcess: Bool = false, predecessor: UInt64? = nil,
    textCell: UInt32
  ) {
    (self.id, self.fence, self.grantedAt, self.deadline, self.endedAt) = (id, fence, grantedAt, deadline, endedAt)
    (self.lockCell, self.units, self.ttl, self.cooldown, self.count) = (lockCell, units, ttl, cooldown, count)
    (self.mode, self.waited, self.peer, self.textCell) = (mode, waited, peer, textCell)
    lengths = (
      UInt8(ownerLength.map { $0 + 1 } ?? 0), UInt8(keyLength), UInt8(nameLength), UInt8(adjustmentCount)
    )
    (flags, origin) = ([], fingerprint)
    self[.bound] = bindsConnection
    self[.endless] = isEndless
    self[.adjusting] = adjustmentCount > 0
    self[.process] = bindsProcess
    if let predecessor { self.predecessor = predecessor }
  }

  var ownerLength: Int? { lengths.owner == 0 ? nil : Int(lengths.owner) - 1 }
  var keyLength: Int { Int(lengths.key) }
  /// Bytes of the name that was used for the lock, when it is not the lock's own.
  var nameLength: Int { Int(lengths.name) }
  /// The number of semaphores to which the end adds something, on leases of raw operations; these have no name of their
  /// own.
  var adjustmentCount: Int { Int(lengths.adjustments) }
  /// Tells a retry from another request; 0 where it goes on for another lease.
  var fingerprint: UInt64 { self[.successor] ? 0 : origin }
  /// The low half of the id that it was transferred from; of a part, the fence of those that it was added to.
  var predecessor: UInt64? {
    get { self[.successor] ? origin : nil }
    set {
      self[.successor] = newValue != nil
      if let newValue { origin = newValue }
    }
  }

  static let inlineBytes = 24
  /// The bytes of text that the record itself has room for.
  var roomForText: Int { slots == 0 ? Self.inlineBytes : Self.inlineBytes - 8 }
  static let inlineWord = 12
  static let adjustmentBytes = 4

  /// Bytes of owner, Idempotency-Key, process and own name or adjustments together.
  @inline(__always)
  var textLength: Int {
    (ownerLength ?? 0) + keyLength + (self[.process] ? RecordedProcess.bytes : 0) + (self[.group] ? 8 : 0)
      + (self[.atLeast] ? 4 : 0) + nameLength + adjustmentCount * Self.adjustmentBytes
  }

  /// The bits of a deadline that say so: no bit of a deadline that a daemon writes, and not what one flipped bit makes.
  private static let attached: UInt64 = 5

  /// The word of a deadline.
  static func deadlineWord(_ deadline: Int64, isAttached: Bool) -> UInt64 {
    precondition(!isAttached || 0..<1 << 61 ~= deadline, "a deadline leaves room for what is said beside it")
    return UInt64(bitPattern: deadline) | (isAttached ? attached << 61 : 0)
  }

  @inline(__always)
  var body: CellBody {
    var body = CellBody()
    body.words[0] = Self.deadlineWord(deadline, isAttached: isAttached)
    body.words[1] = UInt64(bitPattern: endedAt)
    body.words[2] = id.high
    body.words[3] = id.low
    body.words[4] = UInt64(bitPattern: fence)
    body.words[5] = UInt64(bitPattern: grantedAt.nanoseconds)
    body.words[6] = UInt64(UInt32(lockCell)) | UInt64(UInt32(units)) << 32
    body.words[7] = UInt64(UInt32(clamping: ttl.milliseconds)) | UInt64(UInt32(clamping: cooldown.milliseconds)) << 32
    let flags = isAttached ? flags.subtracting(.bound) : flags
    body.words[8] =
      UInt64(UInt16(count)) | UInt64(mode.rawValue) << 16 | UInt64(flags.rawValue) << 24 | UInt64(textCell) << 32
    body.words[9] = origin
    let (peerKind, peerWord) = Self.pack(peer)
    // One of the last two is 0.
    let last = lengths.name + lengths.adjustments
    body.words[10] =
      UInt64(lengths.owner) | UInt64(lengths.key) << 8 | UInt64(peerKind) << 16 | (stops ? 1 << 22 : 0)
      | (slots != 0 ? 1 << 23 : 0) | UInt64(last) << 24 | UInt64(UInt32(clamping: waited.milliseconds)) << 32
    body.words[11] = peerWord
    body.words[14] = slots
    return body
  }

  private static func pack(_ peer: Peer) -> (UInt8, UInt64) {
    switch peer {
    case .unknown, .ipv6: (0, 0)
    case .ipv4(let address, let port): (1, UInt64(address) << 16 | UInt64(port))
    case .local(let pid, let uid, _): (2, UInt64(UInt32(bitPattern: pid)) << 32 | UInt64(uid))
    }
  }

  static func unpack(kind: UInt8, word: UInt64) -> Peer {
    switch kind {
    case 1: .ipv4(UInt32(truncatingIfNeeded: word >> 16), port: UInt16(truncatingIfNeeded: word))
    case 2:
      .local(
        pid: Int32(truncatingIfNeeded: word >> 32), uid: UInt32(truncatingIfNeeded: word), gid: UInt32.max)
    default: .unknown
    }
  }
}

/// The parts of a lease that are taken together: they have one fence.
struct PartGroup {
  /// The head's; of those that are added later their own.
  let id: LeaseID
  let fence: Int64
  let grantedAt: MonotonicInstant
  /// The fence of those that they are added to; the first of them says so, and is marked last.
  var addedTo: Int64?
}

extension LeaseRecord {
  /// Leaves the deadline, the holder and the retries to the head; `fingerprint` is its place among the parts.
  mutating func become(partOf group: PartGroup, at place: UInt64) {
    flags = flags.intersection(.adjusting).union(.part)
    (deadline, grantedAt, origin) = (0, group.grantedAt, place)
    if place == 0 { predecessor = group.addedTo.map { UInt64(bitPattern: $0) } }
    (lengths.owner, lengths.key, stops) = (0, 0, false)
  }

  /// Returns true when it is another form of the same record.
  func isSame(as other: LeaseRecord) -> Bool {
    fence == other.fence && lockCell == other.lockCell && self[.part] == other[.part]
  }

  /// Reads a record; `nil` when a number is out of its range.
  ///
  /// Instants and the fence are brought into theirs: what is made of them is only compared.
  init?(_ body: CellBody) {
    let words = body.words
    let isAdjusting = words[8] >> 26 & 1 == 1
    let isAttached = words[0] >> 61 == Self.attached
    let lastMax = isAdjusting ? Limits.adjustments : LockKey.bytesMax
    guard let mode = body.bits(8, from: 16, count: 8).within(0...UInt8.max).flatMap(LockMode.init(rawValue:)),
      let units = body.bits(6, from: 32, count: 32).within(1...Limits.slots),
      let count = body.bits(8, count: 16).within(1...Limits.slots),
      let ownerByte = body.bits(10, count: 8).within(0...Limits.ownerBytes + 1),
      let keyLength = body.bits(10, from: 8, count: 8).within(0...Limits.idempotencyKeyBytes),
      let lastLength = body.bits(10, from: 24, count: 8).within(0...lastMax)
    else { return nil }
    self.init(
      id: LeaseID(high: words[2], low: words[3]), fence: body.signed(4).clamped(to: 0...Int64.max),
      grantedAt: MonotonicInstant(nanoseconds: body.signed(5).clamped(to: 0...Limits.instant)),
      deadline: isAttached
        ? body.bits(0, count: 61).clamped(to: 0...Limits.instant)
        : body.signed(0).clamped(to: -1...Limits.instant),
      endedAt: body.signed(1).clamped(to: -Limits.instant...Limits.instant),
      lockCell: body.bits(6, count: 32).clamped(to: 0...Int.max), units: units,
      ttl: .milliseconds(body.bits(7, count: 32).clamped(to: 0...Int64.max)),
      cooldown: .milliseconds(body.bits(7, from: 32, count: 32).clamped(to: 0...Int64.max)), count: count, mode: mode,
      bindsConnection: false, fingerprint: words[9],
      waited: .milliseconds(body.bits(10, from: 32, count: 32).clamped(to: 0...Int64.max)),
      peer: Self.unpack(kind: UInt8(truncatingIfNeeded: words[10] >> 16 & 0x3f), word: words[11]),
      ownerLength: ownerByte == 0 ? nil : ownerByte - 1, keyLength: keyLength,
      nameLength: isAdjusting ? 0 : lastLength, adjustmentCount: isAdjusting ? lastLength : 0,
      textCell: UInt32(truncatingIfNeeded: words[8] >> 32))
    flags = Flags(rawValue: UInt8(truncatingIfNeeded: words[8] >> 24))
    self.isAttached = isAttached
    if isAttached { flags.insert(.bound) }
    if words[10] >> 23 & 1 == 1 { slots = words[14] }
    stops = words[10] >> 22 & 1 == 1
  }
}

/// A lock as it stands in a record.
///
/// ```
///  word 0  last use, ns of CLOCK_MONOTONIC (changes in place)
///  word 1  the first fence of a lease on it, 0 unknown; bit 63: its values were written (changes in place)
///  word 2  set | place << 32 | layout << 48 | key length << 56    word 3  capacity (0 unknown) | text's record << 32
///  word 4  SysV key of the set | semaphores of the set << 32      word 5  semaphore of the ledger + 1 (native sets)
///  words 6...14  the key's first 72 bytes
/// ```
/// Layouts: 0 readers and writer, 1 counting, 2 php, 3 apache, 4 path, 5 sysv, 6 raw operations.
struct LockRecord {
  var lastUse: Int64
  var set: Int32
  var sysvKey: Int32
  /// The place in a bank, or the semaphore that names a native lock.
  var place: Int
  var layout: LockLayout
  var capacity: Int?
  var semaphoreCount: Int
  /// Leases with this fence or a later one, and with this record's number, stood on this lock; 0 where it is not known.
  var firstFence: Int64
  /// True when another program wrote its values.
  var isDamaged = false
  var keyLength: Int
  var textCell: UInt32

  static let damagedBit: UInt64 = 1 << 63
  static let inlineBytes = 72
  static let inlineWord = 6

  var body: CellBody {
    var body = CellBody()
    body.words[0] = UInt64(bitPattern: lastUse)
    body.words[1] = UInt64(bitPattern: firstFence) | (isDamaged ? Self.damagedBit : 0)
    let (code, ledger) = packedLayout
    body.words[2] = UInt64(UInt32(bitPattern: set)) | UInt64(place) << 32 | code << 48 | UInt64(UInt8(keyLength)) << 56
    body.words[3] = UInt64(UInt32(capacity ?? 0)) | UInt64(textCell) << 32
    body.words[4] = UInt64(UInt32(bitPattern: sysvKey)) | UInt64(UInt32(semaphoreCount)) << 32
    body.words[5] = ledger
    return body
  }

  private var packedLayout: (UInt64, UInt64) {
    switch layout {
    case .named(let isCounting): (isCounting ? 1 : 0, 0)
    case .php: (2, 0)
    case .apache: (3, 0)
    case .counter(let ledger, let isPath): (isPath ? 4 : 5, ledger.map { UInt64($0) + 1 } ?? 0)
    case .operations: (6, 0)
    }
  }

  static func layout(_ code: UInt64, capacity: Int, count: Int, ledger: Int) -> LockLayout? {
    switch code {
    case 0: capacity == Limits.readerUnits ? .named(isCounting: false) : nil
    case 1: capacity > 0 ? .named(isCounting: true) : nil
    case 2: count == PHPDialect.semaphores ? .php : nil
    case 3: count >= 2 ? .apache : nil
    case 4, 5: .counter(ledger: ledger == 0 ? nil : UInt16(ledger - 1), isPath: code == 4)
    case 6: .operations
    default: nil
    }
  }
}

extension LockRecord {
  init?(_ body: CellBody) {
    let words = body.words
    guard let capacity = body.bits(3, count: 32).within(0...Limits.slots),
      let count = body.bits(4, from: 32, count: 32).within(1...Limits.semaphores),
      let ledger = body.bits(5).within(0...count),
      let layout = Self.layout(words[2] >> 48 & 0xff, capacity: capacity, count: count, ledger: ledger),
      let place = body.bits(2, from: 32, count: 16).within(layout.places(of: count)),
      layout.hasRoom(for: place, in: count),
      let keyLength = body.bits(2, from: 56, count: 8).within(1...LockKey.bytesMax)
    else { return nil }
    self.init(
      lastUse: body.signed(0).clamped(to: 0...Limits.instant), set: Int32(truncatingIfNeeded: words[2]),
      sysvKey: Int32(truncatingIfNeeded: words[4]), place: place, layout: layout,
      capacity: capacity == 0 ? nil : capacity, semaphoreCount: count,
      firstFence: body.bits(1, count: 63).clamped(to: 0...Int64.max), isDamaged: words[1] & Self.damagedBit != 0,
      keyLength: keyLength,
      textCell: UInt32(truncatingIfNeeded: words[3] >> 32))
  }

  /// True when the set is shared with native programs.
  var isNative: Bool {
    if case .named = layout { false } else { true }
  }
}

/// A piece of a text that did not fit its record: next record | length << 32 in word 2, then 96 bytes.
enum TextRecord {
  static let none = UInt32.max
  static let bytes = 96
  static let firstWord = 3
}

extension CellBody {
  /// The record of a lease after a conversion: another mode, other units, and everything else as it was.
  func converted(to mode: LockMode, units: Int) -> CellBody {
    var body = self
    body.words[6] = body.words[6] & 0xffff_ffff | UInt64(UInt32(units)) << 32
    body.words[8] = body.words[8] & ~(0xff << 16) | UInt64(mode.rawValue) << 16
    return body
  }

  /// Writes bytes from a word on, low byte first.
  mutating func put(_ bytes: some Sequence<UInt8>, from word: Int) {
    for (place, byte) in bytes.enumerated() { words[word + place / 8] |= UInt64(byte) << UInt64(place % 8 * 8) }
  }

  /// Reads bytes from a word on.
  func take(_ count: Int, from word: Int) -> [UInt8] {
    (0..<count).map { UInt8(truncatingIfNeeded: words[word + $0 / 8] >> UInt64($0 % 8 * 8)) }
  }
}

// Numbers in the text of a record, low byte first.
extension [UInt8] {
  mutating func append(_ number: some FixedWidthInteger, bytes count: Int) {
    for place in 0..<count { append(UInt8(truncatingIfNeeded: number >> (8 * place))) }
  }
}

extension Collection<UInt8> {
  /// The number that begins at a place; bytes that are not there are 0.
  func number(at place: Int, bytes count: Int) -> UInt64 {
    dropFirst(place).prefix(count).reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}

/// The terms of a counting lock that an operator set, in place of what its first caller asked for.
///
/// The set below may have more units than the limit: those beyond it are *withheld*, counted as out in the kernel and
/// on no lease. What cannot be withheld yet, because it is in use, is *owed*.
final class Terms {
  /// Its record.
  let cell: Int
  var record: TermsRecord
  /// The names of the slots.
  let slots: SlotTable
  /// The units of the set beyond the limit.
  var surplus = 0
  /// The number of these that are withheld.
  var withheld = 0

  init(cell: Int, _ record: TermsRecord, _ slots: SlotTable) {
    self.cell = cell
    self.record = record
    self.slots = slots
  }

  /// The units that are in use beyond the limit.
  var owed: Int { surplus - withheld }
}

/// The terms of a lock as they stand in a record of their own, beside the lock's.
///
/// ```
///  word 0  limit | pinned << 32 (changes in place)
///  word 2  0xffffffff | mark << 32: a release that does not know it takes it for a text that belongs to nobody
///  word 3  lock's record | bytes of the names << 32
///  word 4  check of the lock's record, whatever its capacity | generation << 32: of two the later counts
///  word 5  the places whose names are the lock's, a bit each      word 6  first record of the names
/// ```
struct TermsRecord {
  var limit: Int
  /// True when the limits of callers do not count.
  var isPinned: Bool
  var lockCell: Int
  var lockCheck: UInt32
  /// Tells it from an earlier record that was not freed in time.
  var generation: UInt32 = 0
  var current: UInt64 = 0
  var textLength = 0
  var textCell = TextRecord.none

  /// More than the length of any text.
  static let mark: UInt64 = 0x5445_524d

  /// The word that changes in place.
  static func word(limit: Int, isPinned: Bool) -> UInt64 { UInt64(UInt32(limit)) | (isPinned ? 1 << 32 : 0) }

  var body: CellBody {
    var body = CellBody()
    body.words[0] = Self.word(limit: limit, isPinned: isPinned)
    body.words[2] = UInt64(TextRecord.none) | Self.mark << 32
    body.words[3] = UInt64(UInt32(lockCell)) | UInt64(UInt32(textLength)) << 32
    body.words[4] = UInt64(lockCheck) | UInt64(generation) << 32
    body.words[5] = current
    body.words[6] = UInt64(textCell)
    return body
  }
}

extension TermsRecord {
  init?(_ body: CellBody) {
    guard body.words[2] == UInt64(TextRecord.none) | Self.mark << 32,
      let limit = body.bits(0, count: 32).within(0...Limits.slots),
      let cell = body.bits(3, count: 32).within(0...Int(Int32.max)),
      let length = body.bits(3, from: 32, count: 32).within(0...SlotNames.listBytes),
      let text = body.bits(6).within(0...TextRecord.none)
    else { return nil }
    self.init(
      limit: limit, isPinned: body.words[0] >> 32 & 1 == 1, lockCell: cell,
      lockCheck: UInt32(truncatingIfNeeded: body.words[4]), generation: UInt32(body.words[4] >> 32),
      current: body.words[5], textLength: length, textCell: text)
  }
}

extension CellBody {
  /// The check of a lock's record, whatever its capacity.
  var lockCheck: UInt32 {
    var body = self
    body.words[3] &= ~0xffff_ffff
    return body.check
  }
}

extension Lock {
  /// All units that an own lock has in its set, those beyond its limit too.
  var made: Int { (capacity ?? 0) + (terms?.surplus ?? 0) }

  /// The units that are in use beyond the limit, and go to nobody when they come back.
  var owed: Int { terms?.owed ?? 0 }

  /// True when the limits of callers do not count.
  var isPinned: Bool { terms?.record.isPinned ?? false }

  /// True when nothing is granted until an operator sets another limit.
  var isPaused: Bool { capacity == 0 }

  /// Returns true when a request is for this lock although it names another limit, or one of its slots and no limit.
  func overrules(_ request: AcquireRequest) -> Bool {
    request.limit != nil ? isPinned : slots != nil && request.want.slots != nil
  }

  /// Tells whether the asked limit, and the names of all slots, are in force; `nil` where that is no question.
  func applies(_ request: AcquireRequest) -> Bool? {
    guard isPinned, let limit = request.limit else { return nil }
    guard let asked = request.want.slots?.all, !asked.isEmpty else { return limit == capacity }
    return slots?.means(asked) == true && limit == capacity
  }

  /// The most slots that one request can ever have; `nil` where that is not known.
  func unitsMax(for limit: Int?) -> Int? { isPaused ? nil : isPinned ? capacity : limit ?? capacity }
}

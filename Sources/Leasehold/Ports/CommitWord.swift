/// The word that decides what a record is: state, kind and a check of the body.
///
/// One aligned store of eight bytes.
///
/// ```
///   bits 0...7    state        bits 16...31  reserved, 0
///   bits 8...15   kind         bits 32...63  check of the body
/// ```
public struct CommitWord: RawRepresentable, Hashable, Sendable {
  /// The word as stored.
  public var rawValue: UInt64

  /// Takes a stored word.
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// True when the record is free or only remembers: nothing is lost when it goes.
  public var isDisposable: Bool { state == .free || state == .ended }

  /// The worth of a record.
  public enum State: UInt8, Sendable {
    /// Nothing: the record may be used for anything.
    case free = 0
    /// A lease that is held, a lock in use, a text that belongs to one of them.
    case live = 1
    /// A lock whose semaphores are being put into use.
    case preparing = 2
    /// A lock whose semaphores are being taken out of use.
    case retiring = 3
    /// A lease that is over for its holder while its slots stay taken.
    case cooling = 4
    /// A lease whose units are being taken where the kernel's values alone cannot tell whether they were: held from
    /// ``live`` on.
    case arming = 5
    /// A lease's other form, with which a conversion replaces its record: the kernel's values tell which one counts.
    case converting = 6
    /// A lease that was ``arming`` or ``disarming`` when the daemon was killed.
    case suspect = 7
    /// A lease that is over; the reason is added to this value.
    case ended = 16
    /// A lease whose units are being given back where the kernel's values cannot tell whether they were; the reason is
    /// added to this value.
    case disarming = 32
    /// A lease that is over for its holder while its slots stay taken for as long as it was to hold them at least; the
    /// reason is added to this value.
    case kept = 48
  }

  /// The thing that a record describes.
  public enum Kind: UInt8, Sendable {
    case lease = 1
    case lock = 2
    case text = 3
  }

  /// A free record.
  public static let free = CommitWord(rawValue: 0)

  /// The word for a body in a state.
  init(_ state: State, _ kind: Kind, check: UInt32, reason: EndReason = .released) {
    let stateBits = state.rawValue >= State.ended.rawValue ? state.rawValue + reason.rawValue : state.rawValue
    rawValue = UInt64(stateBits) | UInt64(kind.rawValue) << 8 | UInt64(check) << 32
  }

  /// The state; `nil` when it is none of ours.
  var state: State? {
    let bits = UInt8(truncatingIfNeeded: rawValue)
    guard bits >= State.ended.rawValue else { return State(rawValue: bits) }
    guard reason != nil else { return nil }
    if bits >= State.kept.rawValue { return .kept }
    return bits >= State.disarming.rawValue ? .disarming : .ended
  }

  /// Why a lease ended, for records of ends.
  var reason: EndReason? {
    let bits = UInt8(truncatingIfNeeded: rawValue)
    return (State.ended.rawValue..<64).contains(bits) ? EndReason(rawValue: bits & 15) : nil
  }

  /// The thing that the record describes; `nil` when it is none of ours.
  var kind: Kind? { Kind(rawValue: UInt8(truncatingIfNeeded: rawValue >> 8)) }

  /// The check of the body.
  var check: UInt32 { UInt32(truncatingIfNeeded: rawValue >> 32) }
}

extension CellBody {
  /// A check over the words that do not change while the record lives.
  ///
  /// It finds scribbling by other programs with the right to write the segment, not crashes: those are covered by the
  /// order of stores. Two rounds of multiply and rotate a word cost a tenth of a table-driven CRC.
  var check: UInt32 {
    var hash: UInt64 = 0x9e37_79b9_7f4a_7c15
    for index in 2..<15 {
      hash = (hash ^ words[index]) &* 0xff51_afd7_ed55_8ccd
      hash = hash << 29 | hash >> 35
    }
    return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
  }
}

public import SysVTypes

/// PHP's variables in segments of shared memory, and the segments themselves.
///
/// Every call answers at once and may be made from any thread. Calls on one segment take turns; nothing keeps a native
/// program out, which is what the lock of ``SegmentInfo/guardKey`` is for. Nothing stays attached between two calls.
/// A fence that is older than the last one seen for the segment is refused, and a newer one is remembered.
public protocol VariableStore: AnyObject, Sendable {
  /// The same store for a caller, who gets no more than the owner and mode of each segment grant that user.
  func acting(for caller: Caller) -> any VariableStore

  /// Finds a segment; `nil` is the default one.
  ///
  /// - Parameter making: Whether the default one is made where it is missing; its ``SegmentInfo/wordBits`` are then not
  ///   told.
  /// - Throws: `no-such-segment`, `permission-denied`; `kernel-limit` and `corrupt-segment` where one is made;
  ///   `internal` for what else the kernel says.
  func segment(_ address: IPCAddress?, making: Bool) throws(LeaseholdError) -> SegmentInfo
  /// One variable; `nil` where there is none.
  ///
  /// - Throws: As ``segment(_:making:)``; `corrupt-segment`, `kernel-limit`, `out-of-range` for a number that a
  ///   32-bit PHP does not have, `stale-fence`.
  func variable(
    _ key: VariableKey, fence: Int64?, in address: IPCAddress?
  ) throws(LeaseholdError) -> StoredVariable?
  /// Stores a variable, or changes nothing at all; the tag is that of what is stored now.
  ///
  /// - Throws: As ``variable(_:fence:in:)``; `precondition-failed`, `segment-full`, `out-of-range` for integers that
  ///   a 32-bit PHP cannot read.
  func put(_ put: VariablePut, in address: IPCAddress?) throws(LeaseholdError) -> (
    key: Int64, replaced: Bool, tag: String
  )
  /// Takes a variable out, and tells the bytes that became free; `nil` where there is none.
  ///
  /// - Throws: As ``variable(_:fence:in:)``, and `precondition-failed`.
  func remove(
    _ key: VariableKey, fence: Int64?, if condition: VariableCondition, in address: IPCAddress?
  ) throws(LeaseholdError) -> (key: Int64, freedBytes: Int)?
  /// All variables in their order, a page of them.
  ///
  /// - Throws: As ``segment(_:making:)``, and `corrupt-segment`.
  func variables(in address: IPCAddress?, from cursor: Int, limit: Int) throws(LeaseholdError) -> VariableList

  /// The host's segments, from an index on, and the kernel's limits.
  ///
  /// - Throws: `internal` where the kernel does not tell its segments.
  func segments(from cursor: Int, limit: Int) throws(LeaseholdError) -> SegmentInventory
  /// Makes a segment, or finds the one that is there; tells whether it was made, and whether a header was written.
  ///
  /// - Throws: `permission-denied`, `kernel-limit`, `caller-limit`, `corrupt-segment`, `no-such-segment` when it is
  ///   removed meanwhile, `internal`.
  func create(_ request: SegmentRequest) throws(LeaseholdError) -> (
    segment: SegmentInfo, created: Bool, initialized: Bool
  )
  /// Changes owner or mode; what is `nil` stays.
  ///
  /// - Throws: `no-such-segment`, `permission-denied`, `internal`.
  func change(
    _ address: IPCAddress, uid: UInt32?, gid: UInt32?, mode: UInt16?
  ) throws(LeaseholdError) -> SegmentInfo
  /// Removes a segment. Where processes have it attached this takes `force`, and they keep it until they detach.
  ///
  /// - Throws: As ``change(_:uid:gid:mode:)``, and `in-use` without `force`.
  func remove(_ address: IPCAddress, force: Bool) throws(LeaseholdError) -> SegmentInfo
  /// Bytes of a segment; `length` is the rest where it is `nil`.
  ///
  /// - Throws: As ``change(_:uid:gid:mode:)``; `out-of-range` beyond the segment or the largest answer,
  ///   `kernel-limit` without memory to attach it.
  func read(_ address: IPCAddress, offset: Int, length: Int?) throws(LeaseholdError) -> [UInt8]
  /// Writes bytes, and zeros behind them up to `length`.
  ///
  /// - Throws: As ``read(_:offset:length:)``.
  func write(
    _ bytes: [UInt8], to address: IPCAddress, offset: Int, length: Int
  ) throws(LeaseholdError) -> SegmentInfo
}

/// The name that a caller gives to a variable.
public enum VariableKey: Sendable, Equatable {
  /// PHP's variable_key.
  case number(Int64)
  /// A name, which the store hashes for the segment's word size.
  case name(String)
}

/// A condition that a variable must meet before it is changed.
public struct VariableCondition: Sendable, Equatable {
  /// Tags one of which it must have; `["*"]` takes any, `nil` asks for nothing.
  public var ifMatch: [String]?
  /// Tags none of which it may have; `["*"]` asks that there be none.
  public var ifNoneMatch: [String]?

  /// Asks for nothing.
  public init() {}
}

/// A value on its way into a segment, in the form of `serialize()`.
public struct VariablePut: Sendable {
  /// The variable.
  public var key: VariableKey
  /// The serialized value.
  public var text: [UInt8]
  /// The condition that must hold before.
  public var condition: VariableCondition
  /// The fence of the caller's lease; one older than the last seen is refused.
  public var fence: Int64?
  /// True when the text has integers that a 32-bit PHP cannot read.
  public var needs64Bits: Bool

  /// Makes a put.
  public init(
    key: VariableKey, text: [UInt8], condition: VariableCondition = VariableCondition(), fence: Int64? = nil,
    needs64Bits: Bool = false
  ) {
    self.key = key
    self.text = text
    self.condition = condition
    self.fence = fence
    self.needs64Bits = needs64Bits
  }
}

/// A variable as it is stored.
public struct StoredVariable: Sendable {
  /// PHP's variable_key.
  public var key: Int64
  /// In the form of `serialize()`.
  public var text: [UInt8]
  /// Differs, for all practical purposes, when the text does.
  public var tag: String

  /// Makes one.
  public init(key: Int64, text: [UInt8], tag: String) {
    self.key = key
    self.text = text
    self.tag = tag
  }
}

public import Leasehold
import LeaseholdHost
import PHPVariables
import SysV
public import SysVTypes

extension SegmentStore {
  /// One variable.
  ///
  /// - Throws: As ``VariableStore/variable(_:fence:in:)``.
  public func variable(
    _ key: VariableKey, fence: Int64?, in address: IPCAddress?
  ) throws(LeaseholdError) -> StoredVariable? {
    try inSegment(address, .readOnly, fence) { segment throws(LeaseholdError) in
      let number = try number(key, segment)
      let text: [UInt8]?
      do throws(SegmentFlaw) { text = try segment.text(of: number) } catch { throw corrupt(error, address) }
      return text.map { StoredVariable(key: number, text: $0, tag: Self.tag($0)) }
    }
  }

  /// Stores a variable, or changes nothing at all.
  ///
  /// - Throws: As ``VariableStore/put(_:in:)``.
  public func put(_ put: VariablePut, in address: IPCAddress?) throws(LeaseholdError) -> (
    key: Int64, replaced: Bool, tag: String
  ) {
    try inSegment(address, .readWrite, put.fence) { segment throws(LeaseholdError) in
      let number = try number(put.key, segment)
      if put.needs64Bits, segment.word == .bits32 {
        throw LeaseholdError(
          .outOfRange,
          "The value holds an integer beyond 32 bits, which the 32-bit PHP of segment \(text(address)) cannot read.",
          facts: [("segment", .text(text(address))), ("word_bits", .number(32))])
      }
      try check(put.condition, number, segment, address)
      do throws(StoreFailure) {
        let replaced = try segment.put(number, put.text)
        return (key: number, replaced: replaced, tag: Self.tag(put.text))
      } catch {
        throw explain(error, number, segment, address)
      }
    }
  }

  /// Takes a variable out.
  ///
  /// - Throws: As ``VariableStore/remove(_:fence:if:in:)``.
  public func remove(
    _ key: VariableKey, fence: Int64?, if condition: VariableCondition, in address: IPCAddress?
  ) throws(LeaseholdError) -> (key: Int64, freedBytes: Int)? {
    try inSegment(address, .readWrite, fence) { segment throws(LeaseholdError) in
      let number = try number(key, segment)
      try check(condition, number, segment, address)
      do throws(SegmentFlaw) {
        return try segment.remove(number).map { (key: number, freedBytes: $0) }
      } catch {
        throw corrupt(error, address)
      }
    }
  }

  /// All variables in their order, a page of them.
  ///
  /// - Throws: As ``VariableStore/variables(in:from:limit:)``.
  public func variables(
    in address: IPCAddress?, from cursor: Int, limit: Int
  ) throws(LeaseholdError) -> VariableList {
    try inSegment(address, .readOnly, nil) { segment throws(LeaseholdError) in
      var list = VariableList()
      do throws(SegmentFlaw) {
        try segment.forEach { chunk in
          if list.count >= cursor, list.entries.count < limit {
            list.entries.append((key: chunk.key, type: segment.type(chunk), byteCount: chunk.text.count))
          }
          list.count += 1
          return true
        }
      } catch {
        throw corrupt(error, address)
      }
      list.nextCursor = cursor + limit < list.count ? cursor + limit : nil
      list.totalBytes = segment.totalBytes
      list.usedBytes = segment.end
      list.freeBytes = segment.freeBytes
      list.wordBits = segment.word.bits
      return list
    }
  }

  private func inSegment<Result: Sendable>(
    _ address: IPCAddress?, _ access: SharedMemoryMapping.Access, _ fence: Int64?,
    _ body: (inout VariableSegment) throws(LeaseholdError) -> Result
  ) throws(LeaseholdError) -> Result {
    try attached(address, access) { (status, kernel, bytes) throws(LeaseholdError) in
      var segment: VariableSegment
      do throws(SegmentFlaw) { segment = try VariableSegment(bytes) } catch { throw corrupt(error, address) }
      if let fence { try fences.see(fence, segment: kernel.id, key: status.permissions.key.rawValue) }
      return try body(&segment)
    }
  }

  private func number(_ key: VariableKey, _ segment: borrowing VariableSegment) throws(LeaseholdError) -> Int64 {
    switch key {
    case .name(let name): return VariableName.key(name.utf8, segment.word)
    case .number(let number):
      guard segment.word.holds(number) else {
        throw LeaseholdError(
          .outOfRange, "'var' must be \(Int32.min)...\(Int32.max): the segment belongs to a 32-bit PHP.",
          facts: [
            ("parameter", .text("var")), ("value", .text("\(number)")), ("minimum", .number(Int64(Int32.min))),
            ("maximum", .number(Int64(Int32.max))),
          ])
      }
      return number
    }
  }

  private func check(
    _ condition: VariableCondition, _ number: Int64, _ segment: borrowing VariableSegment, _ address: IPCAddress?
  ) throws(LeaseholdError) {
    guard condition != VariableCondition() else { return }
    let old: [UInt8]?
    do throws(SegmentFlaw) { old = try segment.text(of: number) } catch { throw corrupt(error, address) }
    let tag = old.map(Self.tag)
    func fits(_ tags: [String]) -> Bool { tag.map { tags.contains($0) || tags == ["*"] } ?? false }
    if let wanted = condition.ifMatch, !fits(wanted) { throw Self.failed("If-Match", number, tag) }
    if let unwanted = condition.ifNoneMatch, fits(unwanted) { throw Self.failed("If-None-Match", number, tag) }
  }

  private static func failed(_ header: String, _ number: Int64, _ tag: String?) -> LeaseholdError {
    LeaseholdError(
      .preconditionFailed,
      "\(header) does not hold: variable \(number) "
        + (tag.map { "has the ETag \"\($0)\"; read it again before you write." } ?? "does not exist."),
      facts: [("header", .text(header)), ("var", .number(number)), ("etag", tag.map { .text("\"\($0)\"") } ?? .null)])
  }

  /// 64 bits of FNV-1a over the text, stirred at the end.
  static func tag(_ text: [UInt8]) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in text { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    hash ^= hash >> 32
    return hash.digits(16, radix: 16)
  }
}

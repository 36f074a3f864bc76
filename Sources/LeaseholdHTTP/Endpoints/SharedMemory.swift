internal import JSONText
import Leasehold
import PHPVariables
import SysVTypes

/// `/shm`: PHP's variables in a segment of shared memory.
enum SharedMemory {
  static func list(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let store = try call.variables
    let address = try call.segmentArgument()
    let limit = try call.number(.limit, 1, 100_000) ?? 1000
    let cursor = try call.cursor()
    let segment = try store.segment(address, making: true)
    return try GuardedRequest.run(call, key: segment.guardKey) { () throws(LeaseholdError) in
      let list = try store.variables(in: address, from: cursor, limit: limit)
      return .json(capacity: 256 + list.entries.count * 64) { write(list, of: segment, into: &$0) }
    }
  }

  private static func write(_ list: VariableList, of segment: SegmentInfo, into json: inout ResponseBuffer) {
    json.open("variables")
    json.append(each: list.entries) { entry, json in
      json.open("key", Int(entry.key))
      json.member("type", entry.type)
      json.member("length_bytes", entry.byteCount)
      json.append(UInt8(ascii: "}"))
    }
    json.member("count", list.count)
    json.member("segment", segment.text)
    json.member("id", Int(segment.id))
    json.member("size_bytes", list.totalBytes)
    json.member("used_bytes", list.usedBytes)
    json.member("free_bytes", list.freeBytes)
    json.member("word_bits", list.wordBits)
    json.member("next_cursor", list.nextCursor.map(String.init))
  }

  static func get(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let store = try call.variables
    let (key, address, fence) = (try call.variableKey(), try call.segmentArgument(), try call.fence())
    let accept = Accept(call.exchange)
    guard accept.takesJSON || accept.prefersSerialized else { throw .notAVariablesType }
    let segment = try store.segment(address, making: true)
    return try GuardedRequest.run(call, key: segment.guardKey) { () throws(LeaseholdError) in
      let found = try store.variable(key, fence: fence, in: address)
      guard let variable = found else { throw .noSuchVariable(key, in: segment) }
      var response = try accept.prefersSerialized ? serialized(variable) : json(variable, in: segment)
      response.add("ETag", "\"\(variable.tag)\"")
      return response
    }
  }

  private static func serialized(_ variable: StoredVariable) -> Response {
    Response(status: 200, contentType: "application/vnd.php.serialized", body: ResponseBuffer(variable.text))
  }

  private static func json(_ variable: StoredVariable, in segment: SegmentInfo) throws(LeaseholdError) -> Response {
    let value: PHPValue
    do throws(PHPUnserializer.Flaw) {
      value = try PHPUnserializer.unserialize(variable.text, ignoringRest: true)
    } catch {
      guard !error.isTooDeep else { throw .notRepresentable(error.what, variable) }
      throw LeaseholdError(
        .corruptSegment,
        "Variable \(variable.key) of segment \(segment.text) does not hold what PHP's serialize() writes: "
          + "\(error.what) at byte \(error.offset). Store it anew; Accept: application/vnd.php.serialized gives all.",
        facts: [
          ("segment", .text(segment.text)), ("reason", .text("variable \(variable.key): \(error.what)")),
          ("offset", .number(Int64(error.offset))),
        ])
    }
    let text: [UInt8]
    do throws(NotRepresentable) {
      text = try value.json().bytes
    } catch {
      throw .notRepresentable(error.what, variable)
    }
    return Response(status: 200, contentType: "application/json", body: ResponseBuffer(text + "\n".utf8))
  }

  static func put(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let store = try call.variables
    let (key, address) = (try call.variableKey(), try call.segmentArgument())
    let value = try call.value()
    var put = VariablePut(key: key, text: value.text, needs64Bits: !value.fits32Bits)
    put.fence = try call.fence()
    put.condition = try call.condition()
    let segment = try store.segment(address, making: true)
    let request = put
    return try GuardedRequest.run(call, key: segment.guardKey) { () throws(LeaseholdError) in
      let outcome = try store.put(request, in: address)
      var response = Response.json(outcome.replaced ? 200 : 201, capacity: 192) { json in
        json.open("key", Int(outcome.key))
        json.member("name", key.name)
        json.member("segment", segment.text)
        json.member("type", PHPValue.typeName(of: request.text))
        json.member("length_bytes", request.text.count)
        json.member("replaced", outcome.replaced)
        json.member("etag", "\"\(outcome.tag)\"")
      }
      response.add("ETag", "\"\(outcome.tag)\"")
      return response
    }
  }

  static func remove(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let store = try call.variables
    let (key, address, fence) = (try call.variableKey(), try call.segmentArgument(), try call.fence())
    let condition = try call.condition()
    let segment = try store.segment(address, making: true)
    return try GuardedRequest.run(call, key: segment.guardKey) { () throws(LeaseholdError) in
      let removed = try store.remove(key, fence: fence, if: condition, in: address)
      guard let removed else { throw .noSuchVariable(key, in: segment) }
      return .json(capacity: 128) { json in
        json.open("removed", true)
        json.member("key", Int(removed.key))
        json.member("name", key.name)
        json.member("segment", segment.text)
        json.member("freed_bytes", removed.freedBytes)
      }
    }
  }
}

extension VariableKey {
  /// The name, where it has one.
  var name: String? { if case .name(let name) = self { name } else { nil } }

  fileprivate var text: String {
    switch self {
    case .number(let number): "\(number)"
    case .name(let name): "'\(name)'"
    }
  }
}

extension SegmentInfo {
  /// As the API names it: by its key, where it has one.
  var text: String { key == 0 ? IPCAddress.id(id).text : IPCAddress.key(key).text }
}

extension LeaseholdError {
  fileprivate static func noSuchVariable(_ key: VariableKey, in segment: SegmentInfo) -> LeaseholdError {
    LeaseholdError(
      .noSuchVariable, "Segment \(segment.text) has no variable \(key.text); GET /shm lists those it has.",
      facts: [("var", .text(key.name ?? key.text)), ("segment", .text(segment.text))])
  }

  fileprivate static func notRepresentable(_ what: String, _ variable: StoredVariable) -> LeaseholdError {
    LeaseholdError(
      .notRepresentable,
      "Variable \(variable.key) holds \(what), which JSON cannot say; ask for Accept: application/vnd.php.serialized.",
      facts: [
        ("var", .number(variable.key)), ("holds", .text(what)),
        ("value_type", .text(PHPValue.typeName(of: variable.text))),
      ])
  }

  fileprivate static var notAVariablesType: LeaseholdError {
    LeaseholdError(
      .notAcceptable, "A variable comes as application/json or application/vnd.php.serialized; ask for one of them.")
  }
}

import JSONText
import Leasehold
import PHPVariables

/// A value on its way into a segment.
struct IncomingValue {
  /// In the form of `serialize()`.
  let text: [UInt8]
  /// True when a 32-bit PHP can read its integers.
  let fits32Bits: Bool
}

extension Call {
  /// The body as a value: JSON, or what `serialize()` wrote.
  func value() throws(LeaseholdError) -> IncomingValue {
    switch MediaType(exchange.header(.contentType)) {
    // curl says `form` when it is not told what a body is; a form is never a value.
    case .json, .form: return try jsonValue()
    case .serialized: return try serializedValue()
    case .bytes, .other:
      throw LeaseholdError(
        .unsupportedMediaType,
        "A value comes as application/json or application/vnd.php.serialized; raw bytes go to /segments/{seg}/bytes.")
    }
  }

  private func jsonValue() throws(LeaseholdError) -> IncomingValue {
    do throws(JSONMappingError) {
      let value = try PHPValue(json: exchange.body)
      return IncomingValue(text: PHPSerializer.serialize(value), fits32Bits: value.fits(.bits32))
    } catch {
      switch error {
      case .flaw(let flaw):
        throw LeaseholdError(
          .badJSON, "The body is not one JSON value: \(flaw.what) at byte \(flaw.offset).",
          facts: [("offset", .number(Int64(flaw.offset)))])
      case .outOfRange(let number, let offset):
        throw LeaseholdError(
          .outOfRange,
          "PHP cannot hold the number at byte \(offset): integers are \(Int64.min)...\(Int64.max), others 64-bit "
            + "floats. Write it with a point, or as a string.",
          facts: [
            ("parameter", .text("body")), ("value", .text(number.excerpt)), ("offset", .number(Int64(offset))),
            ("minimum", .number(.min)), ("maximum", .number(.max)),
          ])
      }
    }
  }

  private func serializedValue() throws(LeaseholdError) -> IncomingValue {
    let text = Array(exchange.body)
    let value: PHPValue
    do throws(PHPUnserializer.Flaw) {
      value = try PHPUnserializer.unserialize(text)
    } catch {
      throw LeaseholdError(
        .badSerialized, "The body is not the text of one value of PHP: \(error.what) at byte \(error.offset).",
        facts: [("offset", .number(Int64(error.offset)))])
    }
    guard server.options.allowsObjects || !value.holdsObjects else {
      throw LeaseholdError(
        .objectsRefused,
        "The value holds an object or enum case, which the PHP that reads it would make; this service stores none "
          + "(--shm-objects=refuse).",
        facts: [("setting", .text("shm-objects"))])
    }
    return IncomingValue(text: text, fits32Bits: value.fits(.bits32))
  }

  /// The fence of the caller's lease.
  func fence() throws(LeaseholdError) -> Int64? { try number(.fence, 0, Int(Limits.fence)).map(Int64.init) }

  /// If-Match and If-None-Match (RFC 9110, 13.1).
  func condition() throws(LeaseholdError) -> VariableCondition {
    var condition = VariableCondition()
    condition.ifMatch = try tags(.ifMatch, "If-Match")
    condition.ifNoneMatch = try tags(.ifNoneMatch, "If-None-Match")
    return condition
  }

  /// The ETags of a header, without their quotes, or a star.
  ///
  /// - Parameter isWeak: Whether weak and strong tags are alike (RFC 9110, 13.1.2).
  func tags(_ header: HeaderName, _ name: String, isWeak: Bool = false) throws(LeaseholdError) -> [String]? {
    guard let bytes = exchange.header(header) else { return nil }
    let text = String(decoding: bytes, as: UTF8.self)
    if text == "*" { return ["*"] }
    var tags: [String] = []
    for part in text.split(separator: ",") {
      var tag = part.filter { $0 != " " && $0 != "\t" }
      if isWeak, tag.hasPrefix("W/") { tag.removeFirst(2) }
      guard tag.count > 2, tag.hasPrefix("\""), tag.hasSuffix("\"") else {
        throw LeaseholdError(
          .invalidParameter, "\(name) must be * or ETags as an answer gave them, in double quotes.",
          facts: [("parameter", .text(name)), ("value", .text(text.excerpt))])
      }
      tags.append(String(tag.dropFirst().dropLast()))
    }
    return tags
  }
}

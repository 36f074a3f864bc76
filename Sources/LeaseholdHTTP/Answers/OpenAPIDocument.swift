import COpenAPI
import Leasehold

/// The contract, byte for byte as the repository has it, but for `info.version`, which is the program's.
enum OpenAPIDocument {
  static func write(version: String, into body: inout ResponseBuffer) {
    body.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[..<place.lowerBound]))
    body.append(version)
    body.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[place.upperBound...]))
  }

  static var byteCount: Int { leasehold_openapi_size() }

  /// The same for people, as a page.
  static var reference: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: leasehold_reference(), count: leasehold_reference_size())
  }

  private static var bytes: UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(start: leasehold_openapi(), count: byteCount)
  }

  /// Where `info.version` stands, which is the first of its name.
  private static let place: Range<Int> = {
    let name = Array("\n  version: ".utf8)
    guard let start = bytes.indices.first(where: { bytes[$0...].starts(with: name) }),
      let end = bytes[(start + name.count)...].firstIndex(of: UInt8(ascii: "\n"))
    else { preconditionFailure("openapi.yaml has no info.version") }
    return start + name.count..<end
  }()

  /// The sentences that say what to do about an error; `nil` where the document has no such code.
  static func help(_ code: LeaseholdError.Code) -> String? { helps[code.rawValue] }

  /// The `help` in `x-problem-codes`, by code; cut out once.
  private static let helps: [String: String] = {
    let lines = bytes.split(separator: UInt8(ascii: "\n")).drop { !$0.elementsEqual("  x-problem-codes:".utf8) }
    var helps: [String: String] = [:]
    var code = ""
    for line in lines.indices {
      let text = String(decoding: lines[line], as: UTF8.self)
      if text.hasPrefix("    "), !text.hasPrefix("     "), text.hasSuffix(":") {
        code = String(text.dropFirst(4).dropLast())
      } else if text.hasPrefix("      help: >-") {
        let folded = lines[(line + 1)...].prefix { $0.starts(with: "        ".utf8) }
        helps[code] = folded.map { String(decoding: $0.dropFirst(8), as: UTF8.self) }.joined(separator: " ")
      } else if text.hasPrefix("      help: ") {
        let value = text.dropFirst("      help: ".utf8.count)
        helps[code] = String(value.hasPrefix("\"") ? value.dropFirst().dropLast() : value)
      }
    }
    return helps
  }()
}

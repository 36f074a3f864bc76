import COpenAPI

/// The contract, byte for byte as the repository has it, but for `info.version`, which is the program's.
enum OpenAPIDocument {
  static func write(version: String, into body: inout ResponseBuffer) {
    body.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[..<place.lowerBound]))
    body.append(version)
    body.append(contentsOf: UnsafeRawBufferPointer(rebasing: bytes[place.upperBound...]))
  }

  static var byteCount: Int { leasehold_openapi_size() }

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
}

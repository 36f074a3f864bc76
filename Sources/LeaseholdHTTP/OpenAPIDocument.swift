import COpenAPI

/// The contract, byte for byte as the repository has it.
enum OpenAPIDocument {
  static func write(into body: inout ResponseBuffer) {
    body.append(contentsOf: UnsafeRawBufferPointer(start: leasehold_openapi(), count: byteCount))
  }

  static var byteCount: Int { leasehold_openapi_size() }
}

import CMicroHTTPD
import Glibc
import Synchronization

extension Exchange {
  /// Queues the answer, on the connection's thread; false has libmicrohttpd close the connection.
  ///
  /// The corresponding C function is `MHD_queue_response`.
  func send() -> Bool {
    let status = UInt32(response.status)
    guard let response = takeResponse(), let mhd = makeResponse(response) else { return false }
    answered = MHD_queue_response(connection.mhd, status, mhd) == MHD_Result.YES
    MHD_destroy_response(mhd)
    return answered
  }

  private func makeResponse(_ response: consuming Response) -> OpaquePointer? {
    let closes =
      response.closes || connection.isSurplus || connection.daemon.draining.load(ordering: .relaxed)
    let (contentType, location, retryAfter) = (response.contentType, response.location, response.retryAfterSeconds)
    var lines = response.takeLines()
    let made: OpaquePointer?
    switch consume response.body {
    case .whole(let body):
      let (base, count) = body.take()
      made = MHD_create_response_from_buffer(count, base, .RESPMEM_MUST_FREE)
      if made == nil { free(base) }
    case .stream(let body):
      stream = body
      body.bind(to: connection)
      made = body.makeResponse()
    }
    guard let mhd = made else { return nil }
    add(mhd, "Cache-Control", text("no-store"))
    add(mhd, "X-Content-Type-Options", text("nosniff"))
    add(mhd, "Cross-Origin-Resource-Policy", text("same-origin"))
    if connection.daemon.writesDate {
      var date = DateField()
      date.withCString { add(mhd, "Date", $0) }
    }
    add(mhd, "X-Request-Id") { $0.append(requestID) }
    if contentType.utf8CodeUnitCount > 0 { add(mhd, "Content-Type", text(contentType)) }
    if let location { add(mhd, "Location") { $0.append(pathOf: location) } }
    lines.withHeaders { MHD_add_response_header(mhd, $0, $1) }
    if retryAfter > 0 { add(mhd, "Retry-After") { $0.append(decimal: UInt64(retryAfter)) } }
    if closes { add(mhd, "Connection", text("close")) }
    return mhd
  }
}

/// Adds a header; libmicrohttpd copies both.
private func add(_ response: OpaquePointer, _ name: StaticString, _ value: UnsafePointer<CChar>) {
  MHD_add_response_header(response, text(name), value)
}

/// Adds a header whose value is what `write` appends.
private func add(_ response: OpaquePointer, _ name: StaticString, _ write: (inout ResponseBuffer) -> Void) {
  var value = ResponseBuffer()
  write(&value)
  value.withCString { add(response, name, $0) }
}

extension ResponseBuffer {
  /// Runs `body` with the name and the value of each header line; the lines are gone afterwards.
  fileprivate mutating func withHeaders(_ body: (UnsafePointer<CChar>, UnsafePointer<CChar>) -> Void) {
    guard count > 0 else { return }
    withCString { text in
      var name = UnsafeMutablePointer(mutating: text)
      while let colon = strchr(name, Int32(UInt8(ascii: ":"))), let end = strchr(colon, Int32(UInt8(ascii: "\r"))) {
        (colon.pointee, end.pointee) = (0, 0)
        body(name, colon + 2)
        name = end + 2
      }
    }
    clear()
  }
}

/// Text known at compile time ends with a NUL.
private func text(_ text: StaticString) -> UnsafePointer<CChar> {
  UnsafeRawPointer(text.utf8Start).assumingMemoryBound(to: CChar.self)
}

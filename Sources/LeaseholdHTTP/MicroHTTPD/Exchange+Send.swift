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
    var fields = ResponseBuffer(capacity: 512)
    var date = DateField()
    fields.appendFields(of: response, requestID: requestID, date: &date, closes: closes)
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
    fields.withFields { MHD_add_response_header(mhd, $0, $1) }
    return mhd
  }
}

extension ResponseBuffer {
  /// Runs `body` with the name and the value of each header line, which it takes to pieces.
  fileprivate mutating func withFields(_ body: (UnsafePointer<CChar>, UnsafePointer<CChar>) -> Void) {
    withCString { text in
      var name = UnsafeMutablePointer(mutating: text)
      while let colon = strchr(name, Int32(UInt8(ascii: ":"))), let end = strchr(colon, Int32(UInt8(ascii: "\r"))) {
        (colon.pointee, end.pointee) = (0, 0)
        body(name, colon + 2)
        name = end + 2
      }
    }
  }
}

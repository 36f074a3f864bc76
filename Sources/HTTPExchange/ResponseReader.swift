/// Sends one HTTP/1.1 request over a socket and reads its answer; used by one thread or task at a time.
package final class ResponseReader: @unchecked Sendable {
  private let socket: Socket
  private var request: ArraySlice<UInt8>
  private var parser = AnswerParser()

  init(_ socket: Socket, _ request: [UInt8]) { (self.socket, self.request) = (socket, request[...]) }

  /// The HTTP status.
  package var status: Int { parser.status }
  /// True where the connection ends with this answer.
  var isLast: Bool { parser.isLast }

  /// Sends the request, and reads the status and the headers.
  func head() throws(HTTPFailure) -> Tried<Void> {
    while !request.isEmpty {
      switch try socket.send(request) {
      case .done(let count): request = request.dropFirst(count)
      case .blocked(let socket, let events): return .blocked(socket, events)
      }
    }
    return try part { parser throws(HTTPFailure) in try parser.head() }
  }

  /// Reads the whole body.
  package func readBody(deadline: Int64) throws(HTTPFailure) -> [UInt8] { try finish(before: deadline, body) }

  /// Reads the next line of the body, without its end; `nil` at the end of the body.
  ///
  /// - Parameter bytesMax: A line that is longer is EPROTO.
  package func readLine(deadline: Int64, bytesMax: Int = 65536) throws(HTTPFailure) -> [UInt8]? {
    try finish(before: deadline) { () throws(HTTPFailure) in try line(bytesMax) }
  }

  /// Reads the whole body.
  package func readBody(deadline: Int64) async throws(HTTPFailure) -> [UInt8] {
    try await finish(before: deadline, body)
  }

  /// Reads the next line of the body, without its end; `nil` at the end of the body.
  package func readLine(deadline: Int64) async throws(HTTPFailure) -> [UInt8]? {
    try await finish(before: deadline) { () throws(HTTPFailure) in try line(16 << 20) }
  }

  private func body() throws(HTTPFailure) -> Tried<[UInt8]> {
    try part { parser throws(HTTPFailure) in try parser.wholeBody() }
  }

  private func line(_ bytesMax: Int) throws(HTTPFailure) -> Tried<[UInt8]?> {
    try part { parser throws(HTTPFailure) in try parser.line(bytesMax: bytesMax) }
  }

  private func part<Part>(
    _ read: (inout AnswerParser) throws(HTTPFailure) -> Part?
  ) throws(HTTPFailure) -> Tried<Part> {
    while true {
      if let part = try read(&parser) { return .done(part) }
      switch try socket.receive() {
      case .done(let bytes): try parser.take(bytes)
      case .blocked(let socket, let events): return .blocked(socket, events)
      }
    }
  }
}

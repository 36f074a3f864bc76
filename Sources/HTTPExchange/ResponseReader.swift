/// Reads one HTTP/1.1 answer from a socket, for a thread: each call blocks until its deadline.
package final class ResponseReader {
  private let socket: Socket
  private var parser = AnswerParser()

  init(_ socket: Socket) { self.socket = socket }

  /// The HTTP status.
  package var status: Int { parser.status }
  /// True where the connection ends with this answer.
  var isLast: Bool { parser.isLast }

  /// Reads the status and the headers.
  func readHead(deadline: Int64) throws(HTTPFailure) {
    try part(deadline) { parser throws(HTTPFailure) in try parser.head() }
  }

  /// Reads the whole body.
  package func readBody(deadline: Int64) throws(HTTPFailure) -> [UInt8] {
    try part(deadline) { parser throws(HTTPFailure) in try parser.wholeBody() }
  }

  /// Reads the next line of the body, without its end; `nil` at the end of the body.
  ///
  /// - Parameter bytesMax: A line that is longer is EPROTO.
  package func readLine(deadline: Int64, bytesMax: Int = 65536) throws(HTTPFailure) -> [UInt8]? {
    try part(deadline) { parser throws(HTTPFailure) in try parser.line(bytesMax: bytesMax) }
  }

  private func part<Part>(
    _ deadline: Int64, _ read: (inout AnswerParser) throws(HTTPFailure) -> Part?
  ) throws(HTTPFailure) -> Part {
    while true {
      if let part = try read(&parser) { return part }
      try parser.take(socket.finish(before: deadline) { socket throws(HTTPFailure) in try socket.receive() })
    }
  }
}

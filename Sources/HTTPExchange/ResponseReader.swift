internal import Glibc

/// Reads one HTTP/1.1 answer from a socket: by length, in chunks, or to the end.
///
/// An answer that is not HTTP is EPROTO, one that is cut off ECONNRESET.
package final class ResponseReader {
  private enum Framing {
    case length(Int)
    case chunked
    case untilClosed
  }

  /// The longest line of a head.
  package static let lineMax = 65536
  private static let bodyMax = 256 << 20

  private let socket: Socket
  private var buffer: [UInt8] = []
  private var start = 0
  private var framing = Framing.untilClosed
  private var isOver = false
  private var chunkLeft = 0
  private var isBehindChunk = false
  private var line: [UInt8] = []
  package private(set) var status = 0
  package private(set) var headers: [String: String] = [:]

  init(_ socket: Socket) { self.socket = socket }

  /// True where the connection ends with this answer.
  var isLast: Bool {
    if case .untilClosed = framing { return true }
    return headers["connection"]?.lowercased() == "close"
  }

  /// Reads the status and the headers; interim answers are skipped.
  func readHead(deadline: Int64) throws(HTTPFailure) {
    repeat {
      let words = try headLine(deadline).split(separator: " ", maxSplits: 2)
      guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else { throw .system(EPROTO) }
      self.status = status
      headers = [:]
      while true {
        let text = try headLine(deadline)
        if text.isEmpty { break }
        guard let colon = text.firstIndex(of: ":"), headers.count < 200 else { throw .system(EPROTO) }
        headers[text[..<colon].lowercased()] = String(text[text.index(after: colon)...].trimmingSpaces)
      }
    } while (100..<200).contains(status)
    if headers["transfer-encoding"]?.lowercased() == "chunked" {
      framing = .chunked
    } else if let text = headers["content-length"] {
      guard let count = Int(text), (0...Self.bodyMax).contains(count) else { throw .system(EPROTO) }
      framing = .length(count)
      chunkLeft = count
    }
    if status == 204 || status == 304 { framing = .length(0) }
  }

  /// Reads the whole body.
  package func readBody(deadline: Int64) throws(HTTPFailure) -> [UInt8] {
    var body: [UInt8] = []
    while let piece = try readPiece(deadline) {
      body += piece
      guard body.count <= Self.bodyMax else { throw .system(EPROTO) }
    }
    return body
  }

  /// Reads the next line of the body, without its end; `nil` at the end of the body.
  ///
  /// - Parameter bytesMax: A line that is longer is EPROTO.
  package func readLine(deadline: Int64, bytesMax: Int = ResponseReader.lineMax) throws(HTTPFailure) -> [UInt8]? {
    var looked = 0
    while true {
      if let end = line[looked...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { line.removeSubrange(...end) }
        return Array(line[..<end])
      }
      looked = line.count
      guard looked <= bytesMax else { throw .system(EPROTO) }
      guard let piece = try readPiece(deadline) else { return nil }
      line += piece
    }
  }

  /// The next bytes of the body; `nil` at its end.
  private func readPiece(_ deadline: Int64) throws(HTTPFailure) -> ArraySlice<UInt8>? {
    switch framing {
    case .length:
      return chunkLeft == 0 ? nil : try take(deadline)
    case .untilClosed:
      if start < buffer.count { return takeBuffered(buffer.count - start) }
      let bytes = try socket.receive(deadline: deadline)
      return bytes.isEmpty ? nil : bytes[...]
    case .chunked:
      if isOver { return nil }
      if isBehindChunk {
        _ = try headLine(deadline)
        isBehindChunk = false
      }
      if chunkLeft == 0 {
        let size = try headLine(deadline).prefix { $0 != ";" }
        guard let count = Int(size.trimmingSpaces, radix: 16), (0...Self.bodyMax).contains(count) else {
          throw .system(EPROTO)
        }
        if count == 0 {
          while try !headLine(deadline).isEmpty {}
          isOver = true
          return nil
        }
        chunkLeft = count
      }
      let piece = try take(deadline)
      // The chunk's end may come later, and what came already must not be lost when a deadline passes.
      isBehindChunk = chunkLeft == 0
      return piece
    }
  }

  private func take(_ deadline: Int64) throws(HTTPFailure) -> ArraySlice<UInt8> {
    if start == buffer.count { try fill(deadline) }
    let piece = takeBuffered(min(chunkLeft, buffer.count - start))
    chunkLeft -= piece.count
    return piece
  }

  private func takeBuffered(_ count: Int) -> ArraySlice<UInt8> {
    defer { start += count }
    return buffer[start..<start + count]
  }

  private func fill(_ deadline: Int64) throws(HTTPFailure) {
    let bytes = try socket.receive(deadline: deadline)
    guard !bytes.isEmpty else { throw .system(ECONNRESET) }
    buffer = start == buffer.count ? bytes : Array(buffer[start...]) + bytes
    start = 0
  }

  private func headLine(_ deadline: Int64) throws(HTTPFailure) -> String {
    while true {
      if let end = buffer[start...].firstIndex(of: UInt8(ascii: "\n")) {
        var text = buffer[start..<end]
        if text.last == UInt8(ascii: "\r") { text.removeLast() }
        start = end + 1
        return String(decoding: text, as: UTF8.self)
      }
      guard buffer.count - start <= Self.lineMax else { throw .system(EPROTO) }
      try fill(deadline)
    }
  }
}

extension StringProtocol {
  fileprivate var trimmingSpaces: SubSequence {
    let head = drop { $0 == " " || $0 == "\t" }
    guard let last = head.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return head }
    return head[...last]
  }
}

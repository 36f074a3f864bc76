internal import Glibc

/// One HTTP/1.1 answer, read from bytes as they come: by length, in chunks, or to the end.
///
/// It knows no socket. A part of which not enough has come yet is `nil`; an answer that is not HTTP is EPROTO, one that
/// is cut off ECONNRESET.
struct AnswerParser {
  private enum Stage {
    case status, headers
    /// So many bytes of the body, or of the chunk, are to come.
    case length(Int)
    case chunk(Int)
    case chunkSize, chunkEnd, trailers
    case untilClosed
    case over
  }

  /// The longest line of a head.
  static let lineMax = 65536
  private static let bodyMax = 256 << 20

  private var stage = Stage.status
  private var buffer: [UInt8] = []
  private var start = 0
  private var body: [UInt8] = []
  private var looked = 0
  private(set) var status = 0
  private(set) var headers: [String: String] = [:]
  /// True where the connection ends with this answer; known with the head.
  private(set) var isLast = false

  /// Takes what has come; nothing is the end of the connection.
  mutating func take(_ bytes: [UInt8]) throws(HTTPFailure) {
    guard bytes.isEmpty else {
      buffer = start == buffer.count ? bytes : Array(buffer[start...]) + bytes
      start = 0
      return
    }
    guard case .untilClosed = stage else { throw .system(ECONNRESET) }
    stage = .over
  }

  /// Reads the status and the headers; interim answers are skipped.
  mutating func head() throws(HTTPFailure) -> Void? {
    while let text = try headLine() {
      if case .status = stage {
        let words = text.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, words[0].hasPrefix("HTTP/1."), let status = Int(words[1]) else { throw .system(EPROTO) }
        (self.status, headers, stage) = (status, [:], .headers)
      } else if !text.isEmpty {
        guard let colon = text.firstIndex(of: ":"), headers.count < 200 else { throw .system(EPROTO) }
        headers[text[..<colon].lowercased()] = String(text[text.index(after: colon)...].trimmingSpaces)
      } else if (100..<200).contains(status) {
        stage = .status
      } else {
        try beginBody()
        return ()
      }
    }
    return nil
  }

  private mutating func beginBody() throws(HTTPFailure) {
    isLast = headers["connection"]?.lowercased() == "close"
    if status == 204 || status == 304 {
      stage = .over
    } else if headers["transfer-encoding"]?.lowercased() == "chunked" {
      stage = .chunkSize
    } else if let text = headers["content-length"] {
      guard let count = Int(text), (0...Self.bodyMax).contains(count) else { throw .system(EPROTO) }
      stage = .length(count)
    } else {
      (stage, isLast) = (.untilClosed, true)
    }
  }

  /// Reads the whole body.
  mutating func wholeBody() throws(HTTPFailure) -> [UInt8]? {
    while let hasMore = try grow() {
      if !hasMore { return body }
      guard body.count <= Self.bodyMax else { throw .system(EPROTO) }
    }
    return nil
  }

  /// Reads the next line of the body, without its end; a line that is `nil` is the end of the body.
  ///
  /// - Parameter bytesMax: A line that is longer is EPROTO.
  mutating func line(bytesMax: Int) throws(HTTPFailure) -> [UInt8]?? {
    while true {
      if let end = body[looked...].firstIndex(of: UInt8(ascii: "\n")) {
        let line = Array(body[..<end])
        body.removeSubrange(...end)
        looked = 0
        return .some(line)
      }
      looked = body.count
      guard looked <= bytesMax else { throw .system(EPROTO) }
      guard let hasMore = try grow() else { return nil }
      if !hasMore { return .some(nil) }
    }
  }

  /// Moves what has come of the body into it; false at its end.
  private mutating func grow() throws(HTTPFailure) -> Bool? {
    while true {
      switch stage {
      case .status, .headers: preconditionFailure("a body comes behind its head")
      case .over: return false
      case .length(0): stage = .over
      case .length(let left):
        guard let count = move(left) else { return nil }
        stage = .length(left - count)
        return true
      case .untilClosed: return move(.max).map { _ in true }
      case .chunkSize:
        guard let text = try headLine() else { return nil }
        let size = text.prefix { $0 != ";" }
        guard let count = Int(size.trimmingSpaces, radix: 16), (0...Self.bodyMax).contains(count) else {
          throw .system(EPROTO)
        }
        stage = count == 0 ? .trailers : .chunk(count)
      case .chunk(let left):
        guard let count = move(left) else { return nil }
        // Its end may come later, and what came already must not be lost with a deadline that passes.
        stage = count == left ? .chunkEnd : .chunk(left - count)
        return true
      case .chunkEnd:
        guard try headLine() != nil else { return nil }
        stage = .chunkSize
      case .trailers:
        guard let text = try headLine() else { return nil }
        if text.isEmpty { stage = .over }
      }
    }
  }

  private mutating func move(_ most: Int) -> Int? {
    let count = min(most, buffer.count - start)
    guard count > 0 else { return nil }
    body += buffer[start..<start + count]
    start += count
    return count
  }

  private mutating func headLine() throws(HTTPFailure) -> String? {
    guard let end = buffer[start...].firstIndex(of: UInt8(ascii: "\n")) else {
      guard buffer.count - start <= Self.lineMax else { throw .system(EPROTO) }
      return nil
    }
    var text = buffer[start..<end]
    if text.last == UInt8(ascii: "\r") { text.removeLast() }
    start = end + 1
    return String(decoding: text, as: UTF8.self)
  }
}

extension StringProtocol {
  fileprivate var trimmingSpaces: SubSequence {
    let head = drop { $0 == " " || $0 == "\t" }
    guard let last = head.lastIndex(where: { $0 != " " && $0 != "\t" }) else { return head }
    return head[...last]
  }
}

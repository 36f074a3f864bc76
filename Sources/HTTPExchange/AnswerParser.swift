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
  private var framing = Framing()
  /// True where the connection ends with this answer; known with the head.
  private(set) var isLast = false

  /// The end of a body, as its head tells it.
  private struct Framing {
    var fields = 0
    var isChunked = false
    var length: Int?
  }

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
    while let line = try headLine() {
      if case .status = stage {
        let words = line.split(separator: UInt8(ascii: " "), maxSplits: 2)
        guard words.count >= 2, words[0].starts(with: "HTTP/1.".utf8), let status = Self.number(words[1]) else {
          throw .system(EPROTO)
        }
        (self.status, framing, isLast, stage) = (status, Framing(), false, .headers)
      } else if !line.isEmpty {
        try note(line)
      } else if (100..<200).contains(status) {
        stage = .status
      } else {
        beginBody()
        return ()
      }
    }
    return nil
  }

  /// Notes what a header says of the body and of the connection.
  private mutating func note(_ line: ArraySlice<UInt8>) throws(HTTPFailure) {
    guard let colon = line.firstIndex(of: UInt8(ascii: ":")), framing.fields < 200 else { throw .system(EPROTO) }
    framing.fields += 1
    let (name, value) = (line[..<colon], line[(colon + 1)...])
    if name.matches("connection") {
      isLast = value.matches("close")
    } else if name.matches("transfer-encoding") {
      framing.isChunked = value.matches("chunked")
    } else if name.matches("content-length") {
      guard let length = Self.number(value), length <= Self.bodyMax else { throw .system(EPROTO) }
      framing.length = length
    }
  }

  private mutating func beginBody() {
    if status == 204 || status == 304 {
      stage = .over
    } else if framing.isChunked {
      stage = .chunkSize
    } else if let length = framing.length {
      stage = .length(length)
    } else {
      (stage, isLast) = (.untilClosed, true)
    }
  }

  /// A number without a sign; blanks around it are left out.
  private static func number(_ text: ArraySlice<UInt8>, radix: Int = 10) -> Int? {
    let digits = text.trimmed
    guard digits.first != UInt8(ascii: "+"), digits.first != UInt8(ascii: "-") else { return nil }
    return Int(String(decoding: digits, as: UTF8.self), radix: radix)
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
        guard let line = try headLine() else { return nil }
        let size = line.prefix { $0 != UInt8(ascii: ";") }
        guard let count = Self.number(size, radix: 16), count <= Self.bodyMax else { throw .system(EPROTO) }
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
        guard let line = try headLine() else { return nil }
        if line.isEmpty { stage = .over }
      }
    }
  }

  private mutating func move(_ bytesMax: Int) -> Int? {
    let count = min(bytesMax, buffer.count - start)
    guard count > 0 else { return nil }
    body += buffer[start..<start + count]
    start += count
    return count
  }

  private mutating func headLine() throws(HTTPFailure) -> ArraySlice<UInt8>? {
    guard let end = buffer[start...].firstIndex(of: UInt8(ascii: "\n")) else {
      guard buffer.count - start <= Self.lineMax else { throw .system(EPROTO) }
      return nil
    }
    var line = buffer[start..<end]
    if line.last == UInt8(ascii: "\r") { line = line.dropLast() }
    start = end + 1
    return line
  }
}

extension ArraySlice<UInt8> {
  /// The bytes without blanks around them.
  fileprivate var trimmed: ArraySlice<UInt8> {
    let head = drop { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
    guard let last = head.lastIndex(where: { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }) else { return head }
    return head[...last]
  }

  /// True for a word of lower case, written in any case, with blanks around it.
  fileprivate func matches(_ word: String) -> Bool {
    trimmed.elementsEqual(word.utf8) { byte, letter in ((0x41...0x5a).contains(byte) ? byte | 0x20 : byte) == letter }
  }
}

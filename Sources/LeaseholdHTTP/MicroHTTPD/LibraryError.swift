import CEarlyAnswer
import Glibc
import Leasehold
import LeaseholdHost
import Synchronization

/// A request that libmicrohttpd refuses by itself, before a handler sees it.
///
/// Its answers are HTML, some of them with two heads, and say nothing of a request id. They are replaced on their way
/// out (see cearlyanswer.h); over TLS they cannot be.
enum LibraryError: Equatable {
  /// The request line or a line of the head (RFC 9112, 3 and 5).
  case unreadableHead
  /// Content-Length is no number.
  case unreadableLength
  /// Content-Length, or a chunk, is beyond 64 bits.
  case hugeBody
  /// A chunk (RFC 9112, 7.1).
  case unreadableChunk
  /// Target, or head: beyond ``ListenerOptions/connectionMemoryBytes``.
  case hugeTarget, hugeHead
  /// Neither HTTP/1.0 nor HTTP/1.1.
  case unknownVersion
  /// Want of memory, or anything else.
  case unknown

  init(status: Int, page: UnsafeRawBufferPointer) {
    func mentions(_ word: String) -> Bool { String(decoding: page, as: UTF8.self).contains(word) }
    switch status {
    case 400 where mentions("Content-Length"): self = .unreadableLength
    case 400 where mentions("chunk"): self = .unreadableChunk
    case 400: self = .unreadableHead
    case 413: self = .hugeBody
    case 414: self = .hugeTarget
    case 431: self = .hugeHead
    case 505: self = .unknownVersion
    default: self = .unknown
    }
  }

  /// Has such answers replaced, in the whole process; false where they cannot be.
  static let areReplaced: Bool = {
    leasehold_replace_pages(replacePage)
    return EarlyAnswers.areOn
  }()
}

/// Numbers of requests that were not read.
private let unread = Atomic<UInt64>(0)

private let replacePage: leasehold_page = {
  status, page, pageSize, answer, capacity in
  guard let answer else { return 0 }
  let error = LibraryError(status: Int(status), page: UnsafeRawBufferPointer(start: page, count: pageSize))
  let number = UInt64(bitPattern: HostClock.monotonic()) &+ unread.add(1, ordering: .relaxed).newValue << 40
  let id = RequestID.made(number)
  var text = ResponseBuffer(capacity: 1024)
  var date = DateField()
  text.append(LeaseholdError(error).response(requestID: id.bytes), requestID: id, date: &date, closes: true)
  guard text.count <= capacity else { return 0 }
  text.withBytes { bytes in if let base = bytes.baseAddress { memcpy(answer, base, bytes.count) } }
  return text.count
}

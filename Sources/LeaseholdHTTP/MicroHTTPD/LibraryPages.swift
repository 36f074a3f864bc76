import CEarlyAnswer
import Glibc
import Leasehold
import LeaseholdHost
import Synchronization

/// The answers of libmicrohttpd to requests that it refuses by itself, before a handler sees them.
///
/// They are HTML, some of them with two heads, and say nothing of a request id. They are replaced on their way out (see
/// cearlyanswer.h); over TLS they cannot be.
enum LibraryPages {
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
  let error = LeaseholdError.unread(status: Int(status), page: UnsafeRawBufferPointer(start: page, count: pageSize))
  let number = UInt64(bitPattern: HostClock.monotonic()) &+ unread.add(1, ordering: .relaxed).newValue << 40
  let id = RequestID.made(number)
  var text = ResponseBuffer(capacity: 1024)
  var date = DateField()
  let response = AnswerWriter(now: MonotonicInstant(nanoseconds: 0), wallOffset: 0)
    .response(error, requestID: id.bytes, asText: false)
  text.append(response, requestID: id, date: &date, closes: true)
  guard text.count <= capacity else { return 0 }
  text.withBytes { bytes in if let base = bytes.baseAddress { memcpy(answer, base, bytes.count) } }
  return text.count
}

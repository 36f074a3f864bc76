import JSONText
import Leasehold

/// The value of `X-Request-Id`: the caller's if it is sane (1...64 of `A-Z a-z 0-9 . _ -`), else a number of our own.
enum RequestID {
  /// The caller's, as long as the request's memory is there.
  case given(UnsafeBufferPointer<UInt8>)
  /// One of our own: 16 hexadecimal digits.
  case made(UInt64)

  /// The caller's; `nil` where it is not sane.
  init?(given text: UnsafeBufferPointer<UInt8>) {
    guard (1...64).contains(text.count), text.allSatisfy({ $0.isLetterOrDigit || "._-".utf8.contains($0) }) else {
      return nil
    }
    self = .given(text)
  }

  /// A copy, for what outlives the request's memory.
  var bytes: [UInt8] {
    switch self {
    case .given(let text): Array(text)
    case .made(let number):
      Array(unsafeUninitializedCapacity: 16) { digits, count in
        if let base = digits.baseAddress { writeHexDigits(number, at: base) }
        count = 16
      }
    }
  }
}

extension ResponseBuffer {
  /// Appends the number of a request.
  @inline(__always)
  mutating func append(_ id: RequestID) {
    switch id {
    case .given(let text): append(contentsOf: text)
    case .made(let number): append(hex: number)
    }
  }
}

import Testing

@testable import LeaseholdHTTP

/// The parts that need no socket.
@Suite struct BytesTests {
  private func text(_ fill: (inout ResponseBuffer) -> Void) -> String {
    var buffer = ResponseBuffer()
    fill(&buffer)
    return buffer.withBytes { String(decoding: $0, as: UTF8.self) }
  }

  @Test func aBufferWritesNumbersAndText() {
    #expect(text { $0.append(decimal: UInt64.max) } == "18446744073709551615")
    #expect(text { $0.append(decimal: Int.min) } == "-9223372036854775808")
    #expect(text { $0.append(decimal: 0) } == "0")
    #expect(text { $0.append(hex: 0xBEEF, digits: 6) } == "00beef")
    #expect(text { $0.append("é" as String) } == "é")
  }

  @Test func numbersOfEveryLengthAreWrittenInFull() {
    var power: UInt64 = 1
    for _ in 0..<20 {
      for value in [power - 1, power, power &+ 1, power &+ power / 2] {
        #expect(text { $0.append(decimal: value) } == "\(value)")
        #expect(
          text { $0.append(hex: value) } == String(repeating: "0", count: 16 - String(value, radix: 16).count)
            + String(value, radix: 16))
      }
      power = power &* 10
    }
  }

  @Test func datesAreWrittenAsHTTPHasThem() {
    #expect(text { $0.append(imfFixdate: 784_111_777) } == "Sun, 06 Nov 1994 08:49:37 GMT")
    #expect(text { $0.append(imfFixdate: 951_782_400) } == "Tue, 29 Feb 2000 00:00:00 GMT")
    #expect(text { $0.append(imfFixdate: 4_102_444_799) } == "Thu, 31 Dec 2099 23:59:59 GMT")
  }

  @Test func aBufferGrowsAsNeeded() {
    let many = text { for number in 0..<5000 { $0.append(UInt8(ascii: "a") + UInt8(number % 26)) } }
    #expect(many.utf8.count == 5000 && many.hasPrefix("abc"))
  }

  @Test func aCStringLeavesTheBytesAsTheyAre() {
    var buffer = ResponseBuffer(capacity: 3)
    buffer.append("abc")
    #expect(buffer.withCString { String(cString: $0) } == "abc")
    #expect(buffer.count == 3)
  }

  @Test(
    arguments: [
      ("0", 0), ("18446744073709551615", UInt64.max), ("18446744073709551616", nil), ("", nil), ("-1", nil),
      ("+1", nil),
      (" 1", nil), ("1e3", nil), ("99999999999999999999999", nil),
    ] as [(String, UInt64?)])
  func aDecimalNumberIsDigitsOnly(_ text: String, _ value: UInt64?) {
    #expect(Array(text.utf8).withUnsafeBufferPointer { decimalNumber($0) } == value)
  }

  @Test(
    arguments: [
      ("Host", .host), ("host", .host), ("hosts", nil), ("Via", .via), ("X-Request-ID", .xRequestID),
      ("hos\u{14}", nil),
      ("sec-fetch-site", .secFetchSite), ("sec_fetch_site", nil), ("", nil),
    ] as [(String, HeaderName?)])
  func aHeaderNameIsRecognizedIgnoringCase(_ text: String, _ name: HeaderName?) {
    let found = Array(text.utf8).withUnsafeBufferPointer { bytes in
      bytes.baseAddress.flatMap { HeaderName($0, count: bytes.count) }
    }
    #expect(found == name)
  }

  @Test func aQueueGivesBackWhatWasPutInPiecesOfAnySize() {
    var queue: ArraySlice<UInt8> = []
    var (sent, received): ([UInt8], [UInt8]) = ([], [])
    for round in 0..<500 {
      let piece = (0..<round % 37).map { UInt8(truncatingIfNeeded: $0 &* round) }
      queue += piece
      sent += piece
      var room = [UInt8](repeating: 0, count: round % 41)
      let count = room.withUnsafeMutableBytes { bytes in
        bytes.baseAddress.map { queue.move(into: $0, atMost: bytes.count) } ?? 0
      }
      received += room[..<count]
    }
    #expect(queue.count == sent.count - received.count)
    #expect(sent.starts(with: received))
  }

  @Test func requestNumbersOfManyConnectionsDiffer() throws {
    let server = try TestServer()
    var seen: Set<String> = []
    for _ in 0..<20 {
      let client = server.client()
      for _ in 0..<20 { seen.insert(client.request("GET", "/").answer()?.headers["x-request-id"] ?? "") }
    }
    #expect(seen.count == 400)
  }
}

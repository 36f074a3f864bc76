import Leasehold
import LeaseholdTestKit
import Testing

@Suite struct RawBytesTests {
  @Test(arguments: [0x20, 0x21] as [UInt8])
  func aByteThatIsNotPlainIsFoundAtEachPlaceOfEachLength(_ least: UInt8) {
    for length in 0...27 {
      let plain = [UInt8](repeating: least, count: length)
      #expect(plain.withUnsafeBytes { $0.isPlainASCII(from: least) })
      for place in 0..<length {
        for byte in UInt8.min...UInt8.max {
          var bytes = plain
          bytes[place] = byte
          let expected = byte >= least && byte < 0x7f
          if bytes.withUnsafeBytes({ $0.isPlainASCII(from: least) }) != expected {
            Issue.record("byte \(byte) at \(place) of \(length)")
          }
        }
      }
    }
  }

  @Test func bytesAreTheSameOnlyWhereEachOneIs() {
    var random = SeededRandom(seed: 7)
    for length in 0...40 {
      let bytes = (0..<length).map { _ in UInt8.random(in: 0...255, using: &random) }
      let copy = bytes
      #expect(bytes.withUnsafeBytes { one in copy.withUnsafeBytes { one.hasBytes(of: $0) } })
      #expect(!bytes.withUnsafeBytes { one in (copy + [0]).withUnsafeBytes { one.hasBytes(of: $0) } })
      for place in 0..<length {
        var other = bytes
        other[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
        #expect(!bytes.withUnsafeBytes { one in other.withUnsafeBytes { one.hasBytes(of: $0) } })
      }
    }
  }
}

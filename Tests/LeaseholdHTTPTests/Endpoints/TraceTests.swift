import Leasehold
import Testing

@testable import LeaseholdHTTP

@Suite struct TraceTests {
  private static let trace = "0af7651916cd43dd8448eb211c80319c"
  private static let good = "00-\(trace)-b7ad6b7169203331-01"

  private func read(_ text: String) -> TraceContext? {
    Array(text.utf8).withUnsafeBufferPointer { TraceContext(traceparent: $0) }
  }

  @Test func aTraceAndItsSpanAreReadAndWrittenBack() throws {
    let found = try #require(read(Self.good))
    #expect(found.traceID == Self.trace)
    #expect(found.spanID == "b7ad6b7169203331")
    let small = try #require(read("00-00000000000000000000000000000001-0000000000000002-00"))
    #expect(small.traceID == "00000000000000000000000000000001")
    #expect(small.spanID == "0000000000000002")
  }

  @Test func aLaterVersionMayGoOnAfterAHyphen() {
    #expect(read("01" + Self.good.dropFirst(2))?.traceID == Self.trace)
    #expect(read("cc" + Self.good.dropFirst(2) + "-what-comes-later")?.traceID == Self.trace)
  }

  @Test(arguments: [
    "", "00", "00-\(trace)-b7ad6b7169203331", "00-\(trace)-b7ad6b7169203331-0", "00-\(trace)-b7ad6b7169203331-011",
    "00-\(trace)-b7ad6b7169203331-01-more", "01-\(trace)-b7ad6b7169203331-01.more",
    "ff-\(trace)-b7ad6b7169203331-01", "0g-\(trace)-b7ad6b7169203331-01", "00_\(trace)-b7ad6b7169203331-01",
    "00-\(trace)_b7ad6b7169203331-01", "00-\(trace)-b7ad6b7169203331_01", "00-\(trace)-b7ad6b7169203331-0x",
    "00-00000000000000000000000000000000-b7ad6b7169203331-01", "00-\(trace)-0000000000000000-01",
    "00-\(trace.uppercased())-b7ad6b7169203331-01", "00-\(trace)-B7AD6B7169203331-01",
  ])
  func whatIsMalformedIsNoTrace(text: String) {
    #expect(read(text) == nil)
  }

  @Test func noTraceHasNoNames() {
    #expect(TraceContext.none.isNone)
    #expect(TraceContext.none.traceID == nil)
    #expect(TraceContext.none.spanID == nil)
  }
}

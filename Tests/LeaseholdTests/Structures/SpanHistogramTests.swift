@testable import Leasehold
import Testing

@Suite struct SpanHistogramTests {
  @Test func aSpanCountsBelowTheFirstBoundThatItDoesNotExceed() {
    for (place, bound) in SpanHistogram.bounds.enumerated() {
      for (span, expected) in [(bound, place), (bound + 1, place + 1)] {
        var histogram = SpanHistogram()
        histogram.note(span)
        #expect(histogram.counts.firstIndex(of: 1) == expected && histogram.sum == span, "\(span) ns")
      }
    }
  }

  @Test func whatIsNegativeOrHugeIsCountedToo() {
    var histogram = SpanHistogram()
    for span in [-5, 0, 1, .max] as [Int64] { histogram.note(span) }
    #expect(histogram.counts.first == 3 && histogram.counts.last == 1)
  }
}

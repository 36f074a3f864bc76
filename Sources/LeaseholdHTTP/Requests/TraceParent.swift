import Leasehold
import Logging

extension TraceContext {
  /// Reads a `traceparent` of any version (https://www.w3.org/TR/trace-context/, 3.2); `nil` for what is none.
  ///
  /// Version 00 has 55 characters; a later one may go on after another hyphen.
  init?(traceparent text: UnsafeBufferPointer<UInt8>) {
    let hyphen = UInt8(ascii: "-")
    guard text.count >= 55, text[2] == hyphen, text[35] == hyphen, text[52] == hyphen,
      let version = hexadecimalNumber(text[0..<2]), version != 0xff, let high = hexadecimalNumber(text[3..<19]),
      let low = hexadecimalNumber(text[19..<35]), let span = hexadecimalNumber(text[36..<52]),
      hexadecimalNumber(text[53..<55]) != nil,
      high | low != 0, span != 0
    else { return nil }
    guard text.count == 55 || version > 0 && text[55] == hyphen else { return nil }
    self.init(high: high, low: low, span: span)
  }

  /// `trace_id` and `span_id`, the names under which collectors of logs look for them.
  func describe(_ metadata: inout Logger.Metadata) {
    guard let traceID, let spanID else { return }
    metadata["trace_id"] = "\(traceID)"
    metadata["span_id"] = "\(spanID)"
  }
}

extension Exchange {
  /// The trace that the request belongs to; one that is malformed, or given twice, counts as none.
  ///
  /// On the connection's thread.
  var trace: TraceContext {
    guard let text = header(.traceparent), !headers.isRepeated(.traceparent) else { return .none }
    return TraceContext(traceparent: text) ?? .none
  }
}

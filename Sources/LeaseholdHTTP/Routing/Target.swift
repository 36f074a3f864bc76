/// A request's target taken apart, nothing decoded.
struct Target {
  let path: UnsafePointer<RouteTable.Path>
  /// The captured segment, still percent-encoded.
  let segment: UnsafeBufferPointer<UInt8>
  /// The rest behind it.
  let last: UnsafeBufferPointer<UInt8>
  /// Behind the question mark.
  let query: UnsafeBufferPointer<UInt8>

  private static var nothing: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: nil, count: 0) }

  /// Finds the path of a raw target; `nil` when there is none.
  init?(_ target: UnsafeBufferPointer<UInt8>) {
    let question = target.position(of: UInt8(ascii: "?"))
    let text = target.part(0, question)
    query = question < target.count ? target.part(question &+ 1, target.count) : Self.nothing
    guard text.first == UInt8(ascii: "/") else { return nil }
    let (first, afterFirst) = Self.segment(text, from: 1)
    let (second, afterSecond) = Self.segment(text, from: afterFirst)
    let (third, afterThird) = Self.segment(text, from: afterSecond)
    guard afterThird > text.count else { return nil }
    let depth = afterFirst > text.count ? 1 : afterSecond > text.count ? 2 : 3
    guard let path = RouteTable.shared.find(depth, first, second, third) else { return nil }
    self.path = path
    (segment, last) = path.pointee.capturesLast ? (third, second) : (second, third)
  }

  /// The segment that begins at an offset, and where the next one does: past the end when there is none.
  private static func segment(
    _ path: UnsafeBufferPointer<UInt8>, from start: Int
  ) -> (UnsafeBufferPointer<UInt8>, next: Int) {
    guard start <= path.count else { return (nothing, start) }
    let end = path.position(of: UInt8(ascii: "/"), from: start)
    return (path.part(start, end), end &+ 1)
  }
}

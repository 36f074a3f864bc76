import Leasehold

/// The paths of the API, made once from its rows.
struct RouteTable: @unchecked Sendable {
  static let shared = RouteTable(Endpoint.all)

  /// A path, whichever methods it takes: a literal, a captured segment or a second literal, and behind a captured one a
  /// literal or a number; or two literals and a captured segment.
  struct Path {
    let template: StaticString
    /// The value of Allow.
    let allow: String
    private let first: UnsafeBufferPointer<UInt8>
    /// Empty where the segment is captured, or not there.
    fileprivate let second: UnsafeBufferPointer<UInt8>
    private let last: UnsafeBufferPointer<UInt8>
    /// True when the last of three segments is the captured one.
    let capturesLast: Bool
    /// True when decimal digits stand behind the captured segment.
    private let takesNumber: Bool
    /// True when the captured segment may be empty, so that the endpoint says what is wrong with it.
    private let takesNothing: Bool
    /// By the numbers of the methods.
    private let endpoints: [UnsafePointer<Endpoint>?]

    fileprivate init(
      _ template: StaticString, _ pieces: [UnsafeBufferPointer<UInt8>], _ rows: [UnsafePointer<Endpoint>]
    ) {
      self.template = template
      first = pieces[0]
      let isLiteral = pieces.count > 1 && pieces[1].first != UInt8(ascii: "{")
      second = isLiteral ? pieces[1] : UnsafeBufferPointer(start: nil, count: 0)
      last = pieces.count > 2 ? pieces[2] : UnsafeBufferPointer(start: nil, count: 0)
      capturesLast = isLiteral && pieces.count > 2
      takesNumber = !capturesLast && last.first == UInt8(ascii: "{")
      takesNothing = pieces.count != 2 && !pieces.contains { $0.elementsEqual("{set}".utf8) }
      endpoints = HTTPMethod.allCases.map { method in rows.first { $0.pointee.takes(method) } }
      let (endpoints, options) = (endpoints, HTTPMethod.options)
      allow = HTTPMethod.allCases.filter { $0 == options || endpoints[Int($0.rawValue)] != nil }
        .map { "\($0)".uppercased() }.joined(separator: ", ")
    }

    /// The endpoint of a method; HEAD is answered wherever GET is.
    @inline(__always)
    func endpoint(_ method: HTTPMethod) -> UnsafePointer<Endpoint>? { endpoints[Int(method.rawValue)] }

    /// Returns true when the segments of a path of the same depth are these; lengths first.
    @inline(__always)
    fileprivate func matches(
      _ first: UnsafeBufferPointer<UInt8>, _ second: UnsafeBufferPointer<UInt8>, _ third: UnsafeBufferPointer<UInt8>
    ) -> Bool {
      guard first.count == self.first.count, takesNumber || capturesLast || third.count == last.count else {
        return false
      }
      guard UnsafeRawBufferPointer(first).hasBytes(of: UnsafeRawBufferPointer(self.first)) else { return false }
      guard !capturesLast else { return second.elementsEqual(self.second) && !third.isEmpty }
      guard !second.isEmpty || takesNothing else { return false }
      guard self.second.isEmpty || second.elementsEqual(self.second) else { return false }
      guard takesNumber else { return UnsafeRawBufferPointer(third).hasBytes(of: UnsafeRawBufferPointer(last)) }
      return !third.isEmpty && third.allSatisfy { (0x30...0x39).contains($0) }
    }
  }

  /// The paths of one segment, of two and of three, in memory that is never freed.
  private let paths: [UnsafeBufferPointer<Path>]

  /// Sorts the rows by their paths.
  ///
  /// A row whose path is not of the form above stops the program at its first request.
  private init(_ rows: UnsafeBufferPointer<Endpoint>) {
    var byDepth: [[Path]] = [[], [], []]
    var seen: Set<String> = []
    let places = rows.indices.compactMap { place in rows.baseAddress.map { $0 + place } }
    for row in rows where seen.insert("\(row.path)").inserted {
      let text = UnsafeBufferPointer(start: row.path.utf8Start, count: row.path.utf8CodeUnitCount)
      let pieces = text.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        .map { UnsafeBufferPointer(rebasing: $0) }
      precondition((1...3).contains(pieces.count), "a path has one to three segments")
      precondition(
        pieces.count < 3 || pieces[1...].contains { $0.first == UInt8(ascii: "{") }, "one segment of three is captured")
      byDepth[pieces.count - 1].append(Path(row.path, pieces, places.filter { "\($0.pointee.path)" == "\(row.path)" }))
    }
    // A literal goes before what would capture it.
    paths = byDepth.map { paths in
      let isFirst = { (path: Path) in !path.second.isEmpty && !path.capturesLast }
      let paths = paths.filter(isFirst) + paths.filter { !isFirst($0) }
      let memory = UnsafeMutableBufferPointer<Path>.allocate(capacity: paths.count)
      _ = memory.initialize(from: paths)
      return UnsafeBufferPointer(memory)
    }
  }

  /// All paths.
  var all: [Path] { paths.flatMap(Array.init) }

  /// Finds a path of one to three segments; what is not there is empty.
  func find(
    _ depth: Int, _ first: UnsafeBufferPointer<UInt8>, _ second: UnsafeBufferPointer<UInt8>,
    _ third: UnsafeBufferPointer<UInt8>
  ) -> UnsafePointer<Path>? {
    let paths = paths[depth - 1]
    guard let start = paths.baseAddress else { return nil }
    for index in 0..<paths.count where start[index].matches(first, second, third) { return start + index }
    return nil
  }
}

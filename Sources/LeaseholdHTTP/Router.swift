import Leasehold

/// The paths of the service; each has at most one captured segment, and one of them a number behind it.
enum Route: UInt8, CaseIterable {
  case acquire, release, renew, convert, hold, locks, lock, key, leases, lease, leaseRenew, leaseBreak, leaseTransfer
  case semaphores, semaphoreSet, semaphore, semaphoreValues, semaphoreOp
  case variables, variable, segments, segment, segmentBytes
  case events
  case healthz, readyz, metrics, version, openapi, docs, problem, index
}

/// A request's target taken apart, nothing decoded.
struct Target {
  let route: Route
  /// The captured segment, still percent-encoded.
  let segment: UnsafeBufferPointer<UInt8>
  /// The number behind it, decimal digits, for ``Route/semaphore``.
  let number: UnsafeBufferPointer<UInt8>
  /// Behind the question mark.
  let query: UnsafeBufferPointer<UInt8>

  private static var nothing: UnsafeBufferPointer<UInt8> { UnsafeBufferPointer(start: nil, count: 0) }

  /// Finds the route of a raw target; `nil` when there is none.
  init?(_ target: UnsafeBufferPointer<UInt8>) {
    var path = target
    let question = target.position(of: UInt8(ascii: "?"))
    if question < target.count {
      path = UnsafeBufferPointer(rebasing: target[..<question])
      query = UnsafeBufferPointer(rebasing: target[(question + 1)...])
    } else {
      query = Self.nothing
    }
    guard path.first == UInt8(ascii: "/") else { return nil }
    let (first, afterFirst) = Self.segment(path, from: 1)
    let (second, afterSecond) = Self.segment(path, from: afterFirst)
    let (third, afterThird) = Self.segment(path, from: afterSecond)
    guard afterThird > path.count else { return nil }
    let depth = afterFirst > path.count ? 1 : afterSecond > path.count ? 2 : 3
    if depth == 2, second.isEmpty { return nil }
    guard let route = Self.route(depth, first, second, third) else { return nil }
    self.route = route
    segment = depth == 1 ? Self.nothing : second
    number = route == .semaphore ? third : Self.nothing
  }

  /// The segment that begins at an offset, and where the next one does: past the end when there is none.
  private static func segment(
    _ path: UnsafeBufferPointer<UInt8>, from start: Int
  ) -> (UnsafeBufferPointer<UInt8>, next: Int) {
    guard start <= path.count else { return (nothing, start) }
    let end = path.position(of: UInt8(ascii: "/"), from: start)
    return (UnsafeBufferPointer(rebasing: path[start..<end]), end + 1)
  }

  private static func route(
    _ depth: Int, _ first: UnsafeBufferPointer<UInt8>, _ second: UnsafeBufferPointer<UInt8>,
    _ third: UnsafeBufferPointer<UInt8>
  ) -> Route? {
    switch depth {
    case 1: top(first)
    case 2:
      if equals(first, "locks") {
        .lock
      } else if equals(first, "leases") {
        .lease
      } else if equals(first, "keys") {
        .key
      } else if equals(first, "semaphores") {
        .semaphoreSet
      } else if equals(first, "shm") {
        .variable
      } else if equals(first, "segments") {
        .segment
      } else if equals(first, "problems") {
        .problem
      } else {
        nil
      }
    default:
      if equals(first, "locks") {
        action(third)
      } else if equals(first, "semaphores") {
        second.isEmpty ? nil : ofSet(third)
      } else if equals(first, "segments"), equals(third, "bytes") {
        .segmentBytes
      } else {
        equals(first, "leases") ? ofLease(third) : nil
      }
    }
  }

  private static func action(_ segment: UnsafeBufferPointer<UInt8>) -> Route? {
    if equals(segment, "acquire") { return .acquire }
    if equals(segment, "release") { return .release }
    if equals(segment, "renew") { return .renew }
    if equals(segment, "convert") { return .convert }
    return equals(segment, "hold") ? .hold : nil
  }

  private static func ofLease(_ segment: UnsafeBufferPointer<UInt8>) -> Route? {
    if equals(segment, "renew") { return .leaseRenew }
    if equals(segment, "break") { return .leaseBreak }
    return equals(segment, "transfer") ? .leaseTransfer : nil
  }

  private static func ofSet(_ segment: UnsafeBufferPointer<UInt8>) -> Route? {
    if equals(segment, "values") { return .semaphoreValues }
    if equals(segment, "op") { return .semaphoreOp }
    return !segment.isEmpty && segment.allSatisfy { $0 >= 0x30 && $0 <= 0x39 } ? .semaphore : nil
  }

  private static func top(_ segment: UnsafeBufferPointer<UInt8>) -> Route? {
    if segment.isEmpty { return .index }
    if equals(segment, "locks") { return .locks }
    if equals(segment, "leases") { return .leases }
    if equals(segment, "semaphores") { return .semaphores }
    if equals(segment, "shm") { return .variables }
    if equals(segment, "segments") { return .segments }
    if equals(segment, "events") { return .events }
    if equals(segment, "healthz") { return .healthz }
    if equals(segment, "readyz") { return .readyz }
    if equals(segment, "metrics") { return .metrics }
    if equals(segment, "version") { return .version }
    if equals(segment, "docs") { return .docs }
    return equals(segment, "openapi.yaml") ? .openapi : nil
  }

  private static func equals(_ bytes: UnsafeBufferPointer<UInt8>, _ text: StaticString) -> Bool {
    bytes.count == text.utf8CodeUnitCount
      && UnsafeRawBufferPointer(bytes).hasBytes(of: UnsafeRawBufferPointer(start: text.utf8Start, count: bytes.count))
  }
}

import Leasehold
import LeaseholdHost

// Threads that ask an engine which may take its time. A burst of requests stands in line for them. A slow engine can
// fill the line; then other requests are refused, and /healthz still answers.
extension Server {
  /// Requests that are with the engine at once.
  static let workersMax = 128
  /// Requests that wait for one of those places.
  static let lineMax = 2048

  /// A place for a request to be worked on.
  ///
  /// - Throws: `engine-unavailable`.
  func place() throws(LeaseholdError) -> BlockingPool.Place {
    do {
      guard let workers else { throw BlockingPool.Refusal.stopped }
      return try workers.reserve()
    } catch {
      throw engineBusy()
    }
  }

  /// That the engine is slower than its requests come.
  func engineBusy() -> LeaseholdError {
    LeaseholdError(
      .engineUnavailable,
      "\(Self.workersMax) requests are with the engine '\(engine.traits.name)' already, which takes its time, and more "
        + "wait for that than it gets to, so nothing was done. Try again.",
      facts: [("maximum", .number(Int64(Self.workersMax)))], retryAfter: .seconds(1))
  }

  /// Does what may ask the engine: on a worker where that may block and a place is left, else here.
  func run(_ body: @escaping @Sendable () -> Void) {
    guard let place = try? workers?.reserve() else { return body() }
    place.run(body)
  }
}

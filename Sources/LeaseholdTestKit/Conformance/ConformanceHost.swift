package import Leasehold

/// An engine under test, and the world it stands in: simulated, or the real one.
///
/// The scenarios use spans of some hundred milliseconds, so that a host whose clock cannot be moved may sleep.
package protocol ConformanceHost: AnyObject {
  /// The engine; another one after a restart.
  var engine: Engine { get }
  /// The clock that the service's deadlines are on.
  var now: MonotonicInstant { get }
  /// Lets time pass, and what is due happen.
  func pass(_ span: TimeSpan)
  /// Lets the service work until the condition holds; false when it still does not after a reasonable time.
  func eventually(_ condition: () -> Bool) -> Bool
  /// Another process adds to a lock's semaphore, without waiting and without SEM_UNDO; false when it would have to
  /// wait.
  func operate(_ delta: Int, on binding: SemaphoreBinding) -> Bool
  /// Removes a semaphore set, as ipcrm -s does.
  func removeSet(_ binding: SemaphoreBinding)
  /// Ends the service and starts another over what it left; false when this host cannot.
  func restart() -> Bool
}

/// An act of a service that no lock service may do.
package struct ConformanceFailure: Error, CustomStringConvertible {
  /// One sentence.
  package let description: String
}

/// Something that every lock service does.
package struct ConformanceScenario: Sendable, CustomStringConvertible {
  /// A sentence.
  package let description: String
  /// An engine that lacks one of these does not have to do it.
  package let needs: Set<EngineFeature>
  let body: @Sendable (ConformanceRun) throws -> Void

  init(
    _ description: String, needs: Set<EngineFeature> = [],
    _ body: @escaping @Sendable (ConformanceRun) throws -> Void
  ) {
    self.description = description
    self.needs = needs
    self.body = body
  }

  /// Plays the scenario, unless the engine lacks what it needs; throws when the service does something else.
  ///
  /// The locks it uses are named after it, so that scenarios may share a service, one after the other.
  package func run(on host: any ConformanceHost) throws {
    guard needs.isDisjoint(with: host.engine.traits.lacks) else { return }
    try body(ConformanceRun(host, prefix: description))
  }
}

/// The scenarios that every lock service passes.
package enum LockServiceConformance {
  package static let scenarios = grants + queues + ends + calls + restarts
}

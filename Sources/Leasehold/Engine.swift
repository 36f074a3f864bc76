/// An engine that serves locks, in parts: the HTTP layer knows nothing else of it.
///
/// This engine does not have a part that is `nil`; a request for it gets `not-supported`.
public struct Engine: Sendable {
  /// Locks and leases.
  public var locks: any LockService
  /// The events of locks and leases.
  public var events: any EventService
  /// Waits for a lock to change.
  public var watches: any LockWatchService
  /// The state of the service, and its end.
  public var life: any EngineLife
  /// Locks that native programs share.
  public var native: (any NativeLockService)?
  /// The semaphore sets of the host.
  public var semaphores: (any SemaphoreService)?
  /// PHP's variables, and the segments below them.
  public var variables: (any VariableStore)?
  /// Processes that leases may be bound to.
  public var processes: (any ProcessService)?
  /// The traits of the engine.
  public var traits: EngineTraits

  /// An engine of what every engine has; the other parts are set afterwards.
  public init<Whole: LockService & EventService & LockWatchService & EngineLife>(
    _ whole: Whole, traits: EngineTraits
  ) {
    (locks, events, watches, life) = (whole, whole, whole, whole)
    self.traits = traits
  }
}

/// The traits of an engine that callers must know before they ask it.
public struct EngineTraits: Sendable {
  /// Its name, for people: `local`.
  public var name: String
  /// True when some calls may take their time; those that may not are named at each service.
  public var mayBlock = false
  /// The shortest time to live that it can give a lease.
  public var ttlMin = TimeSpan.milliseconds(1)
  /// The time that a lease may go on after its end, later and never earlier; zero for an engine that ends them itself.
  public var expiryPrecision = TimeSpan.zero
  /// The time in which a lease that was bound to a connection can be bound again after a restart; zero for none.
  public var recoveryGrace = TimeSpan.zero
  /// The features that it does not have; a request for one gets `not-supported`.
  public var lacks: Set<EngineFeature> = []

  /// An engine that answers every call at once.
  public init(name: String) { self.name = name }
}

/// A feature that not every engine has.
public enum EngineFeature: String, Sendable, CaseIterable {
  /// Locks in semaphores that other programs see.
  case semaphores
  /// Slots that stay taken for a time after a lease has expired.
  case cooldown
  /// From reader to writer and back.
  case conversion
  /// Another id and holder for a lease.
  case transfer
  /// Leases that only their connection ends.
  case endlessLeases = "endless-leases"
  /// Leases of less than two seconds.
  case shortLeases = "short-leases"
  /// Slots that stay taken for a time after the grant, even when the lease ends earlier.
  case holdAtLeast = "hold-at-least"
  /// More locks for a lease that is held.
  case addedLocks = "added-locks"
  /// Requests that end the older waiters of their group.
  case newestWins = "newest-wins"
  /// Texts that holders show.
  case notes
}

/// The life of an engine: it serves from the moment it is there until it is drained and stopped.
public protocol EngineLife: AnyObject, Sendable {
  /// The state of the service, and its counts; answers at once.
  func status() -> ServiceStatus
  /// The time since the clock that ends leases turned, a second at most when all is well; answers at once, and waits
  /// for nothing.
  var sinceClockTurned: TimeSpan { get }
  /// Returns true when it can do its work, and its clock has turned within `span`; may block for ever when it cannot.
  func isAlive(within span: TimeSpan) -> Bool
  /// Stops granting, sends waiters away and cuts calls short that still run; leases stay.
  func drain()
  /// Ends it; nothing is called afterwards.
  func stop()
}

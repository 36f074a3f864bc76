/// An engine that serves locks, in parts: the HTTP layer knows nothing else of it.
///
/// A part that is `nil` is not to be had from this engine; whoever asks for it gets `not-supported`.
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

  /// An engine that answers every call at once.
  public init(name: String) { self.name = name }
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

import Leasehold

// Parts that an engine need not have.
extension Server {
  /// The semaphore sets of the host.
  ///
  /// - Throws: `not-supported`.
  func semaphores() throws(LeaseholdError) -> any SemaphoreService {
    try part(engine.semaphores, "no semaphore sets", instead: "a lock with a limit: POST /locks/{key}/acquire?limit=N")
  }

  /// Segments, and PHP's variables in them.
  ///
  /// - Throws: `not-supported`.
  func variables() throws(LeaseholdError) -> any VariableStore {
    try part(
      engine.variables, "no shared memory",
      instead: "a store of your own, under a lock and with its fence: POST /locks/{key}/acquire")
  }

  /// Locks that native programs share.
  ///
  /// - Throws: `not-supported`.
  func native(
    _ what: String = "no locks that native programs share, and none that are opened without being taken",
    instead: String = "a plain name, made by its first POST /locks/{key}/acquire"
  ) throws(LeaseholdError) -> any NativeLockService { try part(engine.native, what, instead: instead) }

  /// Processes that leases may be bound to.
  ///
  /// - Throws: `not-supported`.
  func processes() throws(LeaseholdError) -> any ProcessService {
    try part(engine.processes, "no leases that end with a process", instead: "bind=connection, hold or a ttl")
  }

  /// Refuses a feature that the engine does not have.
  ///
  /// - Throws: `not-supported`.
  func need(_ feature: EngineFeature, _ what: String, instead: String) throws(LeaseholdError) {
    _ = try part(engine.traits.lacks.contains(feature) ? nil : feature, what, instead: instead)
  }

  private func part<Part>(_ part: Part?, _ what: String, instead: String) throws(LeaseholdError) -> Part {
    if let part { return part }
    throw LeaseholdError(
      .notSupported, "This service runs on the engine '\(engine.traits.name)', which has \(what). Use \(instead).",
      facts: [("instead", .text(instead))])
  }
}

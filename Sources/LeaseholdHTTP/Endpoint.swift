import Leasehold

/// One operation of the API.
struct Endpoint: Sendable {
  /// The operationId of `openapi.yaml`.
  let operation: StaticString
  let method: HTTPMethod
  let route: Route
  /// The names it takes.
  let parameters: ParameterSet
  /// Whether it may answer plain text.
  var offersText = false
  /// Whether its body is a value and not a list of parameters, which then come from the query alone.
  var takesValue = false
  /// The least role that may call it; `nil` lets the method decide (see ``neededRole``).
  var role: Role?
  let handle: @Sendable (borrowing Call) throws(LeaseholdError) -> Disposition

  /// Whether it asks the engine for something that may take its time.
  var asksEngine: Bool {
    // The page for browsers lists the locks.
    reach != .service || route == .index
  }

  /// All operations, in the order of `openapi.yaml`.
  static let all: [Endpoint] = [
    Endpoint(
      operation: "acquireLock", method: .post, route: .acquire, parameters: acquireParameters, offersText: true,
      handle: Locks.acquire),
    Endpoint(
      operation: "releaseLock", method: .post, route: .release, parameters: ParameterSet(.lease).union(.binding),
      handle: Locks.release),
    Endpoint(
      operation: "renewLock", method: .post, route: .renew, parameters: ParameterSet(.lease, .ttl).union(.binding),
      handle: Locks.renew),
    Endpoint(
      operation: "convertLock", method: .post, route: .convert,
      parameters: ParameterSet(.lease, .mode, .wait, .holding, .format).union(.binding), offersText: true,
      handle: Locks.convert),
    Endpoint(
      operation: "holdLock", method: .post, route: .hold, parameters: acquireParameters, offersText: true,
      handle: Locks.hold),
    Endpoint(
      operation: "listLocks", method: .get, route: .locks, parameters: ParameterSet(.limit, .cursor, .key, .state),
      handle: Locks.list),
    Endpoint(
      operation: "getLock", method: .get, route: .lock, parameters: ParameterSet(.limit, .wait).union(.binding),
      handle: Locks.get),
    Endpoint(
      operation: "openLock", method: .put, route: .lock, parameters: ParameterSet(.limit).union(.binding),
      handle: Locks.open),
    Endpoint(
      operation: "deleteLock", method: .delete, route: .lock, parameters: ParameterSet(.force).union(.binding),
      handle: Locks.remove),
    Endpoint(
      operation: "getKey", method: .get, route: .key, parameters: ParameterSet(.limit).union(.binding),
      handle: Locks.getBinding),
    Endpoint(
      operation: "listLeases", method: .get, route: .leases,
      parameters: ParameterSet(.limit, .cursor, .owner, .key), handle: Leases.list),
    Endpoint(
      operation: "acquireLocks", method: .post, route: .leases,
      parameters: ParameterSet(.want, .ttl, .wait, .holding, .owner, .bind, .cooldown, .format), offersText: true,
      handle: Leases.acquire),
    Endpoint(
      operation: "releaseLeases", method: .delete, route: .leases, parameters: ParameterSet(.owner, .key),
      handle: Leases.releaseAll),
    Endpoint(operation: "getLease", method: .get, route: .lease, parameters: ParameterSet(), handle: Leases.get),
    Endpoint(
      operation: "releaseLease", method: .delete, route: .lease, parameters: ParameterSet(), handle: Leases.release),
    Endpoint(
      operation: "renewLease", method: .post, route: .leaseRenew, parameters: ParameterSet(.ttl),
      handle: Leases.renew),
    Endpoint(
      operation: "breakLease", method: .post, route: .leaseBreak, parameters: ParameterSet(.after, .reason),
      role: .admin, handle: Leases.breakLease),
    Endpoint(
      operation: "transferLease", method: .post, route: .leaseTransfer, parameters: ParameterSet(.owner, .ttl, .bind),
      handle: Leases.transfer),
    Endpoint(
      operation: "listSemaphores", method: .get, route: .semaphores, parameters: ParameterSet(.limit, .cursor),
      handle: Semaphores.list),
    Endpoint(
      operation: "createSemaphoreSet", method: .post, route: .semaphores, parameters: semaphoreSetParameters,
      role: .admin, handle: Semaphores.create),
    Endpoint(
      operation: "getSemaphoreSet", method: .get, route: .semaphoreSet, parameters: ParameterSet(),
      handle: Semaphores.get),
    Endpoint(
      operation: "changeSemaphoreSet", method: .patch, route: .semaphoreSet, parameters: ownershipParameters,
      role: .admin, handle: Semaphores.change),
    Endpoint(
      operation: "deleteSemaphoreSet", method: .delete, route: .semaphoreSet, parameters: ParameterSet(.force),
      role: .admin, handle: Semaphores.remove),
    Endpoint(
      operation: "setSemaphores", method: .put, route: .semaphoreValues, parameters: ParameterSet(.values, .force),
      handle: Semaphores.writeAll),
    Endpoint(
      operation: "operateSemaphores", method: .post, route: .semaphoreOp,
      parameters: ParameterSet(.ops, .wait, .ttl, .owner), handle: Semaphores.operate),
    Endpoint(
      operation: "getSemaphore", method: .get, route: .semaphore, parameters: ParameterSet(),
      handle: Semaphores.getOne),
    Endpoint(
      operation: "setSemaphore", method: .put, route: .semaphore, parameters: ParameterSet(.value, .force),
      handle: Semaphores.writeOne),
    Endpoint(
      operation: "listVariables", method: .get, route: .variables,
      parameters: ParameterSet(.segment, .limit, .cursor, .lease, .wait), handle: SharedMemory.list),
    Endpoint(
      operation: "getVariable", method: .get, route: .variable,
      parameters: ParameterSet(.segment, .lease, .wait, .fence), handle: SharedMemory.get),
    Endpoint(
      operation: "putVariable", method: .put, route: .variable,
      parameters: ParameterSet(.segment, .lease, .wait, .fence), takesValue: true, handle: SharedMemory.put),
    Endpoint(
      operation: "deleteVariable", method: .delete, route: .variable,
      parameters: ParameterSet(.segment, .lease, .wait, .fence), handle: SharedMemory.remove),
    Endpoint(
      operation: "listSegments", method: .get, route: .segments, parameters: ParameterSet(.limit, .cursor),
      handle: Segments.list),
    Endpoint(
      operation: "createSegment", method: .post, route: .segments,
      parameters: segmentParameters, role: .admin, handle: Segments.create),
    Endpoint(
      operation: "getSegment", method: .get, route: .segment, parameters: ParameterSet(), handle: Segments.get),
    Endpoint(
      operation: "changeSegment", method: .patch, route: .segment, parameters: ownershipParameters,
      role: .admin, handle: Segments.change),
    Endpoint(
      operation: "deleteSegment", method: .delete, route: .segment, parameters: ParameterSet(.force),
      role: .admin, handle: Segments.remove),
    Endpoint(
      operation: "readSegment", method: .get, route: .segmentBytes, parameters: ParameterSet(.offset, .length),
      handle: Segments.read),
    Endpoint(
      operation: "writeSegment", method: .put, route: .segmentBytes, parameters: ParameterSet(.offset, .length),
      takesValue: true, handle: Segments.write),
    Endpoint(
      operation: "events", method: .get, route: .events, parameters: ParameterSet(.key, .kind, .since, .limit, .wait),
      handle: Events.follow),
    Endpoint(
      operation: "health", method: .get, route: .healthz, parameters: ParameterSet(), role: .nobody,
      handle: Service.health),
    Endpoint(
      operation: "ready", method: .get, route: .readyz, parameters: ParameterSet(), role: .nobody,
      handle: Service.ready),
    Endpoint(operation: "metrics", method: .get, route: .metrics, parameters: ParameterSet(), handle: Service.metrics),
    Endpoint(operation: "version", method: .get, route: .version, parameters: ParameterSet(), handle: Service.version),
    Endpoint(operation: "openapi", method: .get, route: .openapi, parameters: ParameterSet(), handle: Service.openapi),
    Endpoint(
      operation: "docs", method: .get, route: .docs, parameters: ParameterSet(), role: .nobody, handle: Service.docs),
    Endpoint(operation: "problem", method: .get, route: .problem, parameters: ParameterSet(), handle: Service.problem),
    Endpoint(operation: "index", method: .get, route: .index, parameters: ParameterSet(), handle: Service.index),
  ]

  private static let acquireParameters = ParameterSet(
    .mode, .limit, .count, .ttl, .wait, .maxWaiters, .owner, .bind, .cooldown, .holding, .format
  ).union(.binding)

  private static var semaphoreSetParameters: ParameterSet {
    var parameters = ParameterSet(.key, .nsems, .mode, .values, .exclusive)
    parameters.keyIsNumber = true
    return parameters
  }

  private static var segmentParameters: ParameterSet {
    var parameters = ParameterSet(.key, .size, .mode, .initialize, .lease, .wait)
    parameters.keyIsNumber = true
    return parameters
  }

  private static var ownershipParameters: ParameterSet {
    var parameters = ParameterSet(.uid, .gid, .mode)
    parameters.ignoresReadOnly = true
    return parameters
  }

  /// The position in ``all`` of each route and method, by the numbers of both; -1 where there is none.
  private static let positions: [Int8] = Route.allCases.flatMap { route in
    (0..<methods).map { method in
      Int8(all.firstIndex { $0.route == route && $0.method.rawValue == method } ?? -1)
    }
  }
  private static let methods = Int(HTTPMethod.other.rawValue) + 1

  /// Finds the position in ``all`` of a method and a route; HEAD is answered wherever GET is.
  static func find(_ method: HTTPMethod, _ route: Route) -> Int? {
    let position = positions[Int(route.rawValue) * methods + Int((method == .head ? .get : method).rawValue)]
    return position < 0 ? nil : Int(position)
  }

  /// The value of Allow for a route.
  static func allow(_ route: Route) -> StaticString {
    switch Set(all.filter { $0.route == route }.map(\.method)) {
    case [.get]: "GET, HEAD, OPTIONS"
    case [.get, .delete]: "GET, HEAD, DELETE, OPTIONS"
    case [.get, .post, .delete]: "GET, HEAD, POST, DELETE, OPTIONS"
    case [.get, .post]: "GET, HEAD, POST, OPTIONS"
    case [.get, .put]: "GET, HEAD, PUT, OPTIONS"
    case [.get, .patch, .delete]: "GET, HEAD, PATCH, DELETE, OPTIONS"
    case [.get, .put, .delete]: "GET, HEAD, PUT, DELETE, OPTIONS"
    case [.put]: "PUT, OPTIONS"
    default: "POST, OPTIONS"
    }
  }

  /// The value of Allow for OPTIONS of a target; `nil` where there is nothing.
  static func options(_ target: UnsafeBufferPointer<UInt8>) -> StaticString? {
    if target.elementsEqual("*".utf8) { return "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS" }
    return Target(target).map { allow($0.route) }
  }
}

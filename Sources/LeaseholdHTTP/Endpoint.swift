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
  let handle: @Sendable (borrowing Call) throws(Problem) -> Disposition

  /// All operations, in the order of `openapi.yaml`.
  static let all: [Endpoint] = [
    Endpoint(
      operation: "acquireLock", method: .post, route: .acquire, parameters: acquireParameters, offersText: true,
      handle: Locks.acquire),
    Endpoint(
      operation: "releaseLock", method: .post, route: .release, parameters: ParameterSet(.lease),
      handle: Locks.release),
    Endpoint(
      operation: "renewLock", method: .post, route: .renew, parameters: ParameterSet(.lease, .ttl),
      handle: Locks.renew),
    Endpoint(
      operation: "holdLock", method: .post, route: .hold, parameters: acquireParameters, offersText: true,
      handle: Locks.hold),
    Endpoint(
      operation: "listLocks", method: .get, route: .locks, parameters: ParameterSet(.limit, .cursor, .key, .state),
      handle: Locks.list),
    Endpoint(
      operation: "getLock", method: .get, route: .lock, parameters: ParameterSet(.limit), handle: Locks.get),
    Endpoint(
      operation: "deleteLock", method: .delete, route: .lock, parameters: ParameterSet(.force), handle: Locks.remove),
    Endpoint(
      operation: "listLeases", method: .get, route: .leases,
      parameters: ParameterSet(.limit, .cursor, .owner, .key), handle: Leases.list),
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
      operation: "listSemaphores", method: .get, route: .semaphores, parameters: ParameterSet(.limit, .cursor),
      handle: Semaphores.list),
    Endpoint(
      operation: "getSemaphoreSet", method: .get, route: .semaphoreSet, parameters: ParameterSet(),
      handle: Semaphores.get),
    Endpoint(operation: "health", method: .get, route: .healthz, parameters: ParameterSet(), handle: Service.health),
    Endpoint(operation: "ready", method: .get, route: .readyz, parameters: ParameterSet(), handle: Service.ready),
    Endpoint(operation: "metrics", method: .get, route: .metrics, parameters: ParameterSet(), handle: Service.metrics),
    Endpoint(operation: "version", method: .get, route: .version, parameters: ParameterSet(), handle: Service.version),
    Endpoint(operation: "openapi", method: .get, route: .openapi, parameters: ParameterSet(), handle: Service.openapi),
    Endpoint(operation: "problem", method: .get, route: .problem, parameters: ParameterSet(), handle: Service.problem),
    Endpoint(operation: "index", method: .get, route: .index, parameters: ParameterSet(), handle: Service.index),
  ]

  private static let acquireParameters = ParameterSet(
    .mode, .limit, .count, .ttl, .wait, .maxWaiters, .owner, .bind, .cooldown, .format)

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
    let methods = all.filter { $0.route == route }.map(\.method)
    return switch (methods.contains(.get), methods.contains(.post), methods.contains(.delete)) {
    case (true, false, true): "GET, HEAD, DELETE"
    case (true, false, false): "GET, HEAD"
    default: "POST"
    }
  }
}

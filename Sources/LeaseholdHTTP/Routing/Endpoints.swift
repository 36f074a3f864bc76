extension Endpoint {
  /// All operations, in the order of `openapi.yaml`.
  nonisolated(unsafe) static let all = numbered([
    Endpoint(
      "acquireLock", .post, "/locks/{key}/acquire", acquireParameters, .lock, reach: .lock, media: .jsonOrText,
      Locks.acquire),
    Endpoint(
      "releaseLock", .post, "/locks/{key}/release", [.lease, .early] + .binding, .lock, reach: .lock, Locks.release),
    Endpoint(
      "renewLock", .post, "/locks/{key}/renew", [.lease, .ttl, .note] + .binding, .lock, reach: .lock,
      Locks.renew),
    Endpoint(
      "convertLock", .post, "/locks/{key}/convert", [.lease, .mode, .wait, .holding, .format] + .binding, .lock,
      reach: .lock, media: .jsonOrText, Locks.convert),
    Endpoint(
      "holdLock", .post, "/locks/{key}/hold", acquireParameters, .lock, reach: .lock, media: .linesOrText, Locks.hold),
    Endpoint("listLocks", .get, "/locks", [.limit, .cursor, .key, .state], .read, reach: .list, Locks.list),
    Endpoint("getLock", .get, "/locks/{key}", [.limit, .wait] + .binding, .read, reach: .lock, Locks.get),
    Endpoint(
      "openLock", .put, "/locks/{key}", [.limit, .resize, .pinned, .slots] + .binding, .lock, reach: .lock, Locks.open),
    Endpoint("deleteLock", .delete, "/locks/{key}", [.force] + .binding, .lock, reach: .lock, Locks.remove),
    Endpoint("getKey", .get, "/keys/{key}", [.limit] + .binding, .read, reach: .lock, Locks.getBinding),
    Endpoint("listLeases", .get, "/leases", [.limit, .cursor, .owner, .key], .read, reach: .list, Leases.list),
    // The wants are looked at one by one.
    Endpoint(
      "acquireLocks", .post, "/leases",
      [.want, .ttl, .wait, .holding, .owner, .note, .newest, .bind, .cooldown, .holdAtLeast, .format] + .ofStop, .lock,
      reach: .lease, media: .jsonOrText, Leases.acquire),
    Endpoint("releaseLeases", .delete, "/leases", [.owner, .key], .lock, reach: .lease, Leases.releaseAll),
    Endpoint("getLease", .get, "/leases/{lease}", [], .read, reach: .lease, Leases.get),
    Endpoint("releaseLease", .delete, "/leases/{lease}", [.early], .lock, reach: .lease, Leases.release),
    Endpoint("renewLease", .post, "/leases/{lease}/renew", [.ttl, .note], .lock, reach: .lease, Leases.renew),
    Endpoint("addLocks", .post, "/leases/{lease}/add", [.want], .lock, reach: .lease, Leases.add),
    Endpoint("noteLease", .put, "/leases/{lease}/note", [.note], .lock, reach: .lease, Leases.note),
    Endpoint("renewLeases", .post, "/leases/renew", [.leases, .ttl], .lock, reach: .lease, Leases.renewAll),
    Endpoint(
      "holdLease", .post, "/leases/{lease}/hold", [.ttl, .format], .lock, reach: .lease, media: .linesOrText,
      Leases.hold),
    Endpoint(
      "breakLease", .post, "/leases/{lease}/break", [.after, .reason], .admin, reach: .lease, Leases.breakLease),
    Endpoint(
      "transferLease", .post, "/leases/{lease}/transfer", [.owner, .ttl, .bind], .lock, reach: .lease, Leases.transfer),
    Endpoint("listSemaphores", .get, "/semaphores", [.limit, .cursor], .read, reach: .sets, Semaphores.list),
    Endpoint(
      "createSemaphoreSet", .post, "/semaphores", setParameters, .admin, reach: .sets, Semaphores.create),
    Endpoint("getSemaphoreSet", .get, "/semaphores/{set}", [], .read, reach: .set, Semaphores.get),
    Endpoint(
      "changeSemaphoreSet", .patch, "/semaphores/{set}", ownershipParameters, .admin, reach: .set, Semaphores.change),
    Endpoint("deleteSemaphoreSet", .delete, "/semaphores/{set}", [.force], .admin, reach: .set, Semaphores.remove),
    Endpoint(
      "setSemaphores", .put, "/semaphores/{set}/values", [.values, .force], .lock, reach: .set, Semaphores.writeAll),
    Endpoint(
      "operateSemaphores", .post, "/semaphores/{set}/op", [.ops, .wait, .ttl, .owner], .lock, reach: .set,
      Semaphores.operate),
    Endpoint("getSemaphore", .get, "/semaphores/{set}/{number}", [], .read, reach: .set, Semaphores.getOne),
    Endpoint(
      "setSemaphore", .put, "/semaphores/{set}/{number}", [.value, .force], .lock, reach: .set, Semaphores.writeOne),
    Endpoint(
      "listVariables", .get, "/shm", [.segment, .limit, .cursor, .lease, .wait], .read, reach: .variable,
      SharedMemory.list),
    Endpoint(
      "getVariable", .get, "/shm/{var}", variableParameters, .read, reach: .variable, media: .own, SharedMemory.get),
    Endpoint(
      "putVariable", .put, "/shm/{var}", variableParameters, .lock, reach: .variable, body: .value, SharedMemory.put),
    Endpoint("deleteVariable", .delete, "/shm/{var}", variableParameters, .lock, reach: .variable, SharedMemory.remove),
    Endpoint("listSegments", .get, "/segments", [.limit, .cursor], .read, reach: .segments, Segments.list),
    Endpoint("createSegment", .post, "/segments", segmentParameters, .admin, reach: .segments, Segments.create),
    Endpoint("getSegment", .get, "/segments/{segment}", [], .read, reach: .segment, Segments.get),
    Endpoint(
      "changeSegment", .patch, "/segments/{segment}", ownershipParameters, .admin, reach: .segment, Segments.change),
    Endpoint("deleteSegment", .delete, "/segments/{segment}", [.force], .admin, reach: .segment, Segments.remove),
    Endpoint(
      "readSegment", .get, "/segments/{segment}/bytes", [.offset, .length], .read, reach: .segment, media: .own,
      Segments.read),
    Endpoint(
      "writeSegment", .put, "/segments/{segment}/bytes", [.offset, .length], .lock, reach: .segment, body: .value,
      Segments.write),
    Endpoint(
      "events", .get, "/events", [.key, .kind, .since, .limit, .wait], .read, reach: .pattern, media: .own,
      Events.follow),
    // One address serves both, so both take what stands behind it.
    Endpoint(
      "lockState", .post, "/terraform/{state}", [.ttl, .wait], .lock, reach: .state, body: .value, terraform: .lock,
      Terraform.lock),
    Endpoint(
      "unlockState", .delete, "/terraform/{state}", [.ttl, .wait], .lock, reach: .state, body: .value,
      terraform: .unlock, Terraform.unlock),
    Endpoint("health", .get, "/healthz", [], .nobody, reach: .service, Service.health),
    Endpoint("ready", .get, "/readyz", [], .nobody, reach: .service, Service.ready),
    Endpoint("metrics", .get, "/metrics", [], .read, reach: .service, media: .own, Service.metrics),
    Endpoint("version", .get, "/version", [], .read, reach: .service, Service.version),
    Endpoint("openapi", .get, "/openapi.yaml", [], .read, reach: .service, media: .own, Service.openapi),
    Endpoint("docs", .get, "/docs", [], .nobody, reach: .service, media: .own, Service.docs),
    Endpoint("problem", .get, "/problems/{code}", [], .read, reach: .service, Service.problem),
    Endpoint(
      "index", .get, "/", [.sort, .state, .q, .owner], .read, reach: .service, media: .jsonOrPage, Service.index),
    Endpoint("lockPage", .get, "/ui/locks/{key}", .binding, .read, reach: .lock, media: .page, Dashboard.lock),
    Endpoint("ownerPage", .get, "/ui/owners/{owner}", [], .read, reach: .service, media: .page, Dashboard.owner),
  ])

  private static let acquireParameters: ParameterSet =
    [
      .mode, .limit, .count, .ttl, .wait, .maxWaiters, .owner, .note, .newest, .bind, .cooldown, .holdAtLeast,
      .holding, .format,
      .slots, .slot,
    ] + .binding + .ofStop
  private static let variableParameters: ParameterSet = [.segment, .lease, .wait, .fence]
  private static let ownershipParameters = ParameterSet([.uid, .gid, .mode], ignoresReadOnly: true)
  private static let setParameters = ParameterSet([.key, .nsems, .mode, .values, .exclusive], keyIsNumber: true)
  private static let segmentParameters = ParameterSet(
    [.key, .size, .mode, .`init`, .lease, .wait], keyIsNumber: true)
}

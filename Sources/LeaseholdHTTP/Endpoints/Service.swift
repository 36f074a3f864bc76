import Leasehold

/// The service itself.
enum Service {
  /// A clock that has not turned for so long does not end leases any more; it turns once a second at least.
  private static let clockPatience = TimeSpan.seconds(5)

  static func health(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let stood = call.server.engine.life.sinceClockTurned
    guard stood <= clockPatience else {
      throw LeaseholdError(
        .clockStalled,
        "The clock that ends leases has not turned for \(stood.milliseconds) ms: no lease expires, and no wait ends. "
          + "Restart the service; leases stay.",
        facts: [("stalled_ms", .number(stood.milliseconds))])
    }
    return call.json(capacity: 64) { $0.open("status", "ok") }
  }

  static func ready(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let status = call.server.engine.life.status()
    let isListening = call.server.isListening
    guard status.state == .ready, isListening, !call.server.isDraining else {
      throw status.state == .starting || !isListening
        ? LeaseholdError(
          .starting, "The ledger is being recovered, or not every listener is open yet.", retryAfter: .seconds(1))
        : LeaseholdError(.draining, "The service is stopping; leases stay.", retryAfter: .seconds(1))
    }
    _ = try health(call)
    if let fault = status.neededFault {
      throw LeaseholdError(
        .degraded,
        "The \(fault.part.rawValue) is gone, so leases would not be kept as promised: \(fault.reason). It is tried "
          + "again every second.",
        facts: [("part", .text(fault.part.rawValue))], retryAfter: .seconds(1))
    }
    return call.json { json in
      json.open("status", "ready")
      json.member("leases", status.leases)
      json.member("cooling", status.cooling)
      json.member("locks", status.locks)
      json.member("damaged_locks", status.damagedLocks)
      json.member("waiters", status.waiters)
      json.member("ipc_namespace", status.ledger.map { Int(clamping: $0.ipcNamespace) })
      if let recovery = status.ledger?.recovery { describe(recovery, into: &json) }
    }
  }

  private static func describe(_ recovery: RecoveryReport, into json: inout ResponseBuffer) {
    json.append(",\"recovery\":{\"took_ms\":" as StaticString)
    json.append(decimal: Int(recovery.took.milliseconds))
    json.member("leases", recovery.leases)
    json.member("locks", recovery.locks)
    json.member("units_given_back", recovery.unitsGivenBack)
    json.member("leases_lost", recovery.leasesLost)
    json.member("damaged_records", recovery.damagedRecords)
    json.member("suspects", recovery.suspects)
    json.member("unsure_releases", recovery.unsureReleases)
    json.append("}" as StaticString)
  }

  static func metrics(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let body = Metrics.text(of: call.server, capacity: 8192)
    return call.respond(Response(status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", body: body))
  }

  static func version(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let engine = call.server.engine
    var body = ResponseBuffer()
    body.append("\(call.server.options.versions.json(engine.traits, engine.life.status().cluster))\n")
    return call.respond(Response(status: 200, contentType: "application/json", body: body))
  }

  static func openapi(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let version = call.server.options.versions.leasehold
    var body = ResponseBuffer(capacity: OpenAPIDocument.byteCount + version.utf8.count)
    OpenAPIDocument.write(version: version, into: &body)
    var response = Response(status: 200, contentType: "application/yaml", body: body)
    response.add("Link", "</docs>; rel=\"service-doc\"")
    return call.respond(response)
  }

  static func docs(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    var body = ResponseBuffer(capacity: OpenAPIDocument.reference.count)
    body.append(contentsOf: OpenAPIDocument.reference)
    var response = Response(status: 200, contentType: "text/html; charset=utf-8", body: body)
    // The page is the same for every caller, and has no caller's words in it.
    response.add(
      "Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
    response.add("Link", "</openapi.yaml>; rel=\"service-desc\"")
    return call.respond(response)
  }

  static func problem(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let name = call.segmentText
    let code = LeaseholdError.Code(rawValue: name)
    guard let row = ProblemTable.known(code), let help = OpenAPIDocument.help(code) else {
      throw LeaseholdError(.notFound, "No error has the code '\(name.excerpt)'; openapi.yaml lists them all.")
    }
    return call.json(capacity: 512) { json in
      json.open("type", "/problems/" + code.rawValue)
      json.member("code", code.rawValue)
      json.member("status", Int(row.status))
      json.member("title", "\(row.title)")
      json.member("help", help)
    }
  }

  static func index(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let choice = try PlainList.Choice(call)
    if Accept(call.exchange).prefersHTML { return try Dashboard.locks(call, choice) }
    let version = call.server.options.versions.leasehold
    return call.json { json in
      json.open("name", "leasehold")
      json.member("version", version)
      json.append(
        """
        ,"links":{"locks":"/locks","leases":"/leases","semaphores":"/semaphores",\
        "variables":"/shm","segments":"/segments","events":"/events",\
        "health":"/healthz","ready":"/readyz",\
        "metrics":"/metrics","version":"/version","openapi":"/openapi.yaml","docs":"/docs"}
        """ as StaticString)
    }
  }
}

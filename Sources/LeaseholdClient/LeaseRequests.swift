// What a holder asks of a lease, and waits for.
extension Lease {
  /// Waits until it is lost, and says how; `nil` when it was given back, or the task is canceled.
  public func whenLost() async -> LeaseLost? {
    let alarm = TaskAlarm()
    onEnd { alarm.ring() }
    while isHeld, !Task.isCancelled { await alarm.sleep(until: .max) }
    return loss
  }

  /// Waits until it is asked to yield, and says so; false when it is over before, or the task is canceled.
  public func whenAskedToYield() async -> Bool {
    let alarm = TaskAlarm()
    onEnd(orYield: true) { alarm.ring() }
    while isHeld, !isAskedToYield, !Task.isCancelled { await alarm.sleep(until: .max) }
    return isAskedToYield
  }

  /// Shows everybody who asks a text beside it, such as how far the work is; an empty one clears it.
  ///
  /// - Throws: ``ClientError``.
  public func note(_ text: String) async throws(ClientError) {
    _ = try await say(Request("PUT", ["leases", id, "note"], query: [("note", text)]))
  }

  /// Takes more locks on it, all or none, without a wait; ``locks`` tells their numbers.
  ///
  /// - Throws: ``ClientError``; where it is not the lease that is over, the lease is as it was.
  public func add(_ wants: [Want]) async throws(ClientError) {
    for want in wants { try want.check() }
    takeLocks(try await say(Request("POST", ["leases", id, "add"], json: ["want": Want.list(wants)])))
  }

  /// Asks for something of it; what is gone may be that, and not the lease.
  private func say(_ request: Request) async throws(ClientError) -> JSON {
    try check()
    let answer = try await client.ask(request.within(client.timeout))
    guard let problem = answer.problem else { return answer.json }
    if problem.status == 404 || problem.status == 410 { await confirm() }
    try check()
    throw problem.isGone ? .invalid(problem.detail, parameter: "want") : .problem(problem)
  }

  /// The variables for a program that is started under it, as `leasehold run` gives it.
  public var environment: [String: String] {
    let outer = Environment.value("LEASEHOLD_HOLDING").map { $0 + "," } ?? ""
    let (keys, names) = (locks.map(\.key), locks.flatMap(\.slots))
    let slots = names.isEmpty ? [:] : ["LEASEHOLD_SLOT": names.joined(separator: ",")]
    return [
      "LEASEHOLD_LEASE": id, "LEASEHOLD_FENCE": "\(fence)", "LEASEHOLD_LOCK": keys.joined(separator: "\n"),
      "LEASEHOLD_HOLDING": outer + id, "LEASEHOLD_URL": "\(client.endpoint.address)",
    ].merging(slots) { own, _ in own }
  }
}

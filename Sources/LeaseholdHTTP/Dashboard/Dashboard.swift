import Leasehold

/// The pages for browsers: all locks (`GET /`), one lock, one owner.
///
/// The server writes what it knows now, and the script in it shows the same from the API and goes on. So a browser
/// without scripts has everything but the live part and the buttons.
enum Dashboard {
  /// The most locks in the plain table, and the most leases that it looks for holders in.
  static let listMax = 1000

  /// All locks, or those that the query asks for.
  static func locks(_ call: borrowing Call, _ choice: PlainList.Choice) throws(LeaseholdError) -> Disposition {
    try page(call) { call throws(LeaseholdError) in
      var filter = ListFilter()
      filter.limit = listMax
      let locks = try call.server.engine.locks.locks(filter)
      let leases = try call.server.engine.locks.leases(filter)
      return PlainList(locks, leases.entries, now: call.now).html(choice)
    }
  }

  /// One lock.
  static func lock(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let name = try call.lockName()
    return try page(call) { call throws(LeaseholdError) in
      let found = try call.knownLock(name, listed: LockSnapshot.listed)
      let page = PlainLock(key: name.key, lock: found, now: call.now)
      return page.html(history(of: name.key, call), wallOffset: call.writer.wallOffset)
    }
  }

  /// One owner and all that it holds.
  static func owner(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let owner = try call.ownerInPath()
    return try page(call) { call throws(LeaseholdError) in
      var filter = ListFilter()
      filter.limit = listMax
      filter.owner = owner
      return PlainOwner(owner: owner, leases: try call.server.engine.locks.leases(filter), now: call.now).html
    }
  }

  private typealias Plain = (borrowing Call) throws(LeaseholdError) -> HTML

  private static func page(_ call: borrowing Call, _ plain: Plain) throws(LeaseholdError) -> Disposition {
    let parts = DashboardParts.shared
    var body = ResponseBuffer(capacity: parts.head.utf8.count + parts.tail.utf8.count + 4096)
    body.append(parts.head)
    // Every caller gets the page, not what it shows; a browser has no token to send before it has the page.
    if call.server.guardian.asksForToken(call.exchange) || call.exchange.context.token != nil {
      body.append("<p>The locks are shown to who has a token: a read of /locks with it lists them.</p>" as StaticString)
    } else {
      body.append(try plain(call).text)
    }
    body.append(parts.tail)
    var response = Response(status: 200, contentType: "text/html; charset=utf-8", body: body)
    response.add("Content-Security-Policy", parts.policy ?? "default-src 'none'; frame-ancestors 'none'")
    response.add("Referrer-Policy", "no-referrer")
    response.add("Vary", "Accept")
    response.add("Link", "</docs>; rel=\"service-doc\"")
    return call.respond(response)
  }

  /// The newest events of a lock, newest first, among the last that happened.
  private static func history(of key: LockKey, _ call: borrowing Call) -> [LedgerEvent] {
    let (looked, shown): (UInt64, Int) = (10_000, 50)
    let events = call.server.engine.events
    let next = events.events(from: 0, limit: 0).next
    let batch = events.events(from: next > looked ? next - looked : 0, limit: Int(looked))
    return batch.events.reversed().lazy.filter { $0.key == key.text && $0.kind != .renewed }.prefix(shown).map(\.self)
  }
}

import Leasehold
import LeaseholdHost
import Synchronization

@testable import LeaseholdHTTP

/// Answers by the path: `/echo…` describes the request, `/park…` waits for the test, `/early` resolves before it
/// returns, `/work…` goes to a worker that waits for the test, `/refuse` is refused by its headers, `/stream` streams,
/// `/big` sends much.
final class ToyHandler: ExchangeHandler {
  struct Counts: Equatable {
    var arrived = 0
    var delivered = 0
    var undelivered = 0
    var hungUp = 0
    var closed = 0
    var lost = 0
  }

  private struct State {
    var counts = Counts()
    var parked: [Exchange] = []
    var streams: [StreamBody] = []
    var completions: [ObjectIdentifier: Int] = [:]
    var alive: [Exchange] = []
    var peers: [PeerConnection] = []
    var working: [Exchange] = []
    var finishes = 0
  }

  private let workers = BlockingPool(named: "toy-worker", threadsMax: 4)

  private let state = Mutex(State())

  var counts: Counts { state.withLock { $0.counts } }
  var parked: [Exchange] { state.withLock { $0.parked } }
  var streams: [StreamBody] { state.withLock { $0.streams } }
  var peers: [PeerConnection] { state.withLock { $0.peers } }
  /// What workers have, or had.
  var working: [Exchange] { state.withLock { $0.working } }
  var works: Int { working.count }

  /// Lets one more worker go on, in the order they came.
  func finishWork() { state.withLock { $0.finishes += 1 } }

  /// How often an exchange was completed; anything but one is a fault.
  var completionsPerExchange: Set<Int> { state.withLock { Set($0.completions.values) } }

  /// Drops what it keeps, which keeps it in turn.
  func forget() {
    state.withLock { state in
      state.alive = []
      state.parked = []
      state.peers = []
      state.streams = []
      state.working = []
    }
  }

  func takeParked() -> [Exchange] {
    state.withLock { state in
      defer { state.parked = [] }
      return state.parked
    }
  }

  /// Every thread that has a request for this handler hangs until `body` is done.
  func hanging(_ body: () -> Void) { state.withLock { _ in body() } }

  /// Answers one parked exchange with 200 "granted".
  static func grant(_ exchange: Exchange) -> Bool { exchange.resolve(Response(status: 200, text: "granted\n")) }

  func headersArrived(_ exchange: Exchange) {
    if let defect = exchange.defect {
      var body = ResponseBuffer()
      body.append(defect.detail + "\n")
      exchange.response = Response(status: 400, contentType: "text/plain", body: body)
    } else if path(exchange).hasPrefix("/refuse") {
      exchange.response = Response(status: 403, text: "refused\n")
    }
  }

  func requestArrived(_ exchange: Exchange) -> Disposition {
    let path = path(exchange)
    state.withLock { state in
      state.counts.arrived += 1
      // Kept, so that no two exchanges ever have the same identity.
      state.alive.append(exchange)
      if state.peers.last !== exchange.connection { state.peers.append(exchange.connection) }
    }
    if exchange.bodyTooLarge { return exchange.respond(Response(status: 413, text: "too large\n")) }
    if path.hasPrefix("/park") {
      state.withLock { $0.parked.append(exchange) }
      return .pending
    }
    if path.hasPrefix("/early") {
      exchange.resolve(Response(status: 200, text: "early\n"))
      return .pending
    }
    if path.hasPrefix("/work"), let place = try? workers.reserve() { return .working(place) }
    if path.hasPrefix("/keep") { exchange.connection.keepOpen(true) }
    if path.hasPrefix("/stream") {
      let stream = StreamBody()
      state.withLock { $0.streams.append(stream) }
      return exchange.respond(Response(status: 200, contentType: "application/x-ndjson", stream: stream))
    }
    return exchange.respond(echo(exchange))
  }

  func work(_ exchange: Exchange, since asked: Int64) -> Disposition {
    let number = state.withLock { state in
      state.working.append(exchange)
      return state.working.count
    }
    _ = eventually { state.withLock { $0.finishes >= number } }
    guard path(exchange).hasSuffix("-park") else { return exchange.respond(Response(status: 200, text: "worked\n")) }
    state.withLock { $0.parked.append(exchange) }
    return .pending
  }

  func lost(_ exchange: Exchange) { state.withLock { $0.counts.lost += 1 } }

  func hungUp(_ exchange: Exchange) { state.withLock { $0.counts.hungUp += 1 } }

  func stopping(_ exchange: Exchange) -> Response { Response(status: 503, text: "stopping\n") }

  func completed(_ exchange: Exchange, delivered: Bool) {
    state.withLock { state in
      if delivered { state.counts.delivered += 1 } else { state.counts.undelivered += 1 }
      state.completions[ObjectIdentifier(exchange), default: 0] += 1
    }
  }

  func connectionClosed(_ connection: PeerConnection) { state.withLock { $0.counts.closed += 1 } }

  private func path(_ exchange: Exchange) -> String { String(decoding: exchange.target, as: UTF8.self) }

  private func echo(_ exchange: Exchange) -> Response {
    var body = ResponseBuffer(capacity: 256)
    body.append("\(exchange.method) \(path(exchange)) \(exchange.version) ")
    body.append(exchange.header(.contentType).map { String(decoding: $0, as: UTF8.self) } ?? "-")
    body.append(" ")
    body.append(contentsOf: exchange.body)
    body.append("\n")
    if path(exchange).hasPrefix("/big") { for _ in 0..<100_000 { body.append("0123456789") } }
    return Response(status: 200, contentType: "text/plain", body: body)
  }
}

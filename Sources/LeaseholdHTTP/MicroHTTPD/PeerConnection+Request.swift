import LeaseholdHost
import Synchronization

/// The way of a request through its connection, on the connection's thread. Each step returns false to have
/// libmicrohttpd close the connection.
extension PeerConnection {
  /// Bytes of a body that is too large which are read and thrown away, so that the peer reads the refusal before it
  /// sees the connection close.
  private static let discardLimitBytes = 1_048_576

  /// The headers are there.
  func begin(url: UnsafePointer<CChar>?, method: UnsafePointer<CChar>?, version: UnsafePointer<CChar>?) -> Bool {
    daemon.assertOwnThread()
    let exchange = rested.take() ?? Exchange(connection: self)
    exchange.begin(method: method, version: version)
    defer { current = exchange }
    daemon.activeExchanges.add(1, ordering: .relaxed)
    noteRequest(at: exchange.arrived)
    exchange.captureHeaders(url: url, method: method, version: version)
    exchange.readTarget()
    exchange.inspect(maxTargetBytes: daemon.options.maxTargetBytes)
    exchange.limitBody(to: daemon.options.maxBodyBytes)
    handler.headersArrived(exchange)
    // An answer queued now makes libmicrohttpd close the connection; without a body there is no need for that.
    guard exchange.coming.isThere || exchange.defect != nil else { return true }
    return exchange.hasResponse ? exchange.send() : exchange.defect == nil
  }

  /// A piece of the body.
  func take(_ piece: UnsafePointer<UInt8>, count: Int, for exchange: Exchange) -> Bool {
    if !exchange.bodyTooLarge, body.count + count > exchange.bodyLimitBytes {
      exchange.bodyTooLarge = true
      exchange.coming.discardedBytes = body.count
      body.clear()
    }
    guard exchange.bodyTooLarge else { return body.append(piece, count: count) }
    exchange.coming.discardedBytes += count
    return exchange.coming.discardedBytes <= Self.discardLimitBytes
  }

  /// The whole request is there, or a parked one was resumed.
  func advance(_ exchange: Exchange) -> Bool {
    daemon.assertOwnThread()
    if exchange.handedOver {
      exchange.early = exchange.parking.withLock { $0.early }
      if exchange.early != .not {
        idle(since: HostClock.monotonic())
        return exchange.finishEarly()
      }
      return exchange.takeParkedAnswer() && exchange.answer()
    }
    if exchange.hasResponse { return exchange.answer() }
    exchange.handedOver = true
    switch handler.requestArrived(exchange) {
    case .answered:
      return exchange.answer()
    case .pending:
      exchange.wasPending = true
      return exchange.park() || exchange.answer()
    case .working(let place):
      exchange.wasPending = true
      if !exchange.beginWork() { return exchange.answer() }
      let (handler, now) = (handler, HostClock.monotonic())
      place.run { exchange.endWork(handler.work(exchange, since: now)) }
      return true
    }
  }

  /// The request is over.
  func end(delivered: Bool) {
    daemon.assertOwnThread()
    guard var exchange = current.take() else { return }
    daemon.activeExchanges.subtract(1, ordering: .relaxed)
    daemon.quiesceIfAsked()
    if let stream = exchange.stream {
      stream.over()
      idle(since: HostClock.monotonic())
    }
    let delivered = exchange.endEarly(isSent: delivered) || delivered && exchange.answered
    if exchange.handedOver {
      handler.completed(exchange, delivered: delivered)
    }
    exchange.forgetMemory()
    body.clear()
    // libmicrohttpd misses a FIN that came together with a request. The idle timeout catches that; where there is none,
    // or where the peer had time to leave while it waited, a look costs little.
    if isKeptOpen || exchange.wasPending, !peerIsThere() { drop() }
    if !exchange.wasPending, isKnownUniquelyReferenced(&exchange) {
      exchange.rest()
      rested = consume exchange
    }
  }
}

extension Exchange {
  /// Finds what makes the request unfit, and whether a body follows.
  func inspect(maxTargetBytes: Int) {
    if target.count > maxTargetBytes { note(.targetTooLong) }
    if let coding = headers[.transferEncoding] {
      coming.isThere = true
      if headers.isRepeated(.transferEncoding) || version == .http10 || !equalsIgnoringCase(coding, "chunked") {
        note(.unknownTransferEncoding)
      }
      if headers[.contentLength] != nil { note(.ambiguousLength) }
    } else if let length = headers[.contentLength] {
      guard let bytes = decimalNumber(length), !headers.isRepeated(.contentLength) else {
        coming.isThere = true
        note(.ambiguousLength)
        return
      }
      coming.declaredBytes = bytes
      coming.isThere = bytes > 0
    }
  }
}

import Leasehold

/// Something of a request that goes on after its endpoint returned: a wait, a hold, a stream of events.
protocol PendingRequest: AnyObject {
  /// The peer went away before the answer was decided.
  ///
  /// On the watch's thread, or on the worker's.
  func hungUp()
  /// The exchange is over.
  ///
  /// - Parameter delivered: Whether the kernel took the whole answer for a peer that was there.
  func completed(delivered: Bool)
}

extension PendingRequest {
  func hungUp() {}

  func completed(delivered: Bool) {}
}

/// The context that the endpoints keep with an exchange.
///
/// For the thread that serves it: the connection's, or a worker's while the exchange is *working*. Others see it only
/// after the exchange is parked.
struct RequestContext {
  /// The target taken apart, as long as the request's memory is there; `nil` where nothing is.
  var target: Target?
  /// The endpoint that it asks for; `nil` where nothing is, or where it is not there for the method.
  var endpoint: UnsafePointer<Endpoint>?
  /// The token that the request came with, where it needed one or had one.
  var token: Token?
  /// The grant that the answer hands over; withdrawn if the answer cannot be delivered.
  var grant: Grant?
  /// The request that goes on after the endpoint returned.
  var pending: (any PendingRequest)?
}

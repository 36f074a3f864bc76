import Glibc
import LeaseholdHost

@testable import LeaseholdHTTP

/// A listener on a free port with a toy handler; stopped when it goes.
final class TestServer {
  let handler = ToyHandler()
  let watch: HangupWatch
  let listener: HTTPListener
  private var stopped = false

  init(
    _ endpoint: ListenerOptions.Endpoint = .tcp(host: "127.0.0.1", port: 0),
    _ change: (inout ListenerOptions) -> Void = { _ in }
  )
    throws
  {
    var options = ListenerOptions(endpoint)
    change(&options)
    watch = try HangupWatch()
    listener = HTTPListener(options, watch: watch)
    try listener.start(handler: handler)
  }

  deinit {
    stop()
    handler.forget()
  }

  var port: UInt16 { listener.port ?? 0 }

  func client() -> RawClient { RawClient(port: port) }

  func stop() {
    guard !stopped else { return }
    stopped = true
    listener.stop()
    watch.shutdown()
  }
}

/// Waits until something is so; false after a time that no healthy run needs.
func eventually(_ condition: () -> Bool) -> Bool {
  let deadline = HostClock.monotonic() + 30_000_000_000
  while !condition() {
    guard HostClock.monotonic() < deadline else { return false }
    usleep(300)
  }
  return true
}

extension StreamBody {
  /// Writes text.
  @discardableResult
  func put(_ text: String) -> Bool {
    var text = text
    return text.withUTF8 { write(UnsafeRawBufferPointer($0)) }
  }
}

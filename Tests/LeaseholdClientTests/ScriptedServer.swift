import Glibc
import LeaseholdHost
import Synchronization

/// A server on a Unix socket that answers each request with the next text of its script, and remembers what was asked.
///
/// Each connection has a thread, as a client may open a second one while the first still waits or is kept for later.
/// A connection that ends after the last step takes the listening socket with it.
final class ScriptedServer: Sendable {
  /// What to do when a request has come.
  enum Step: Sendable {
    /// Send these bytes, a piece at a time.
    case send([String])
    /// Close without an answer.
    case hangUp
    /// Say nothing until the client closes.
    case stall
  }

  let path: String
  private let listener: Int32
  private let state: Mutex<(steps: [Step], asked: [String])>

  init(_ steps: [Step]) {
    path = "/tmp/leasehold-client-\(getpid())-\(UInt32.random(in: .min ... .max))"
    state = Mutex((steps, []))
    listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
    var name = sockaddr_un()
    name.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &name.sun_path) { $0.copyBytes(from: path.utf8) }
    withUnsafePointer(to: &name) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(listener, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    listen(listener, 16)
    _ = HostThread { self.listenUntilTheEnd() }
  }

  deinit {
    close(listener)
    unlink(path)
  }

  /// The requests so far, whole.
  var asked: [String] { state.withLock { $0.asked } }

  private var isOver: Bool { state.withLock { $0.steps.isEmpty } }

  private func listenUntilTheEnd() {
    while !isOver {
      let connection = accept(listener, nil, nil)
      guard connection >= 0 else { return }
      _ = HostThread { self.serve(connection) }
    }
    shutdown(listener, Int32(SHUT_RDWR))
  }

  private func serve(_ connection: Int32) {
    while let text = request(connection) {
      let step = state.withLock { state -> Step in
        state.asked.append(text)
        return state.steps.isEmpty ? .hangUp : state.steps.removeFirst()
      }
      guard carryOut(step, connection) else { break }
    }
    close(connection)
    // Wakes the thread that accepts.
    if isOver { shutdown(listener, Int32(SHUT_RDWR)) }
  }

  private func carryOut(_ step: Step, _ connection: Int32) -> Bool {
    switch step {
    case .send(let pieces):
      for piece in pieces {
        var bytes = piece
        bytes.withUTF8 { _ = write(connection, $0.baseAddress, $0.count) }
      }
      return true
    case .hangUp: return false
    case .stall:
      var byte: UInt8 = 0
      while read(connection, &byte, 1) > 0 {}
      return false
    }
  }

  /// Reads up to the end of a head; our requests in tests have no bodies.
  private func request(_ connection: Int32) -> String? {
    var bytes: [UInt8] = []
    var byte: UInt8 = 0
    while read(connection, &byte, 1) == 1 {
      bytes.append(byte)
      if bytes.suffix(4) == Array("\r\n\r\n".utf8)[...] { return String(decoding: bytes, as: UTF8.self) }
    }
    return nil
  }
}

/// An answer with a length.
func answer(_ status: Int, _ body: String, _ headers: String = "") -> ScriptedServer.Step {
  .send(["HTTP/1.1 \(status) X\r\n\(headers)Content-Length: \(body.utf8.count)\r\n\r\n\(body)"])
}

/// A lease as the service writes it, ending after `left`, or its ttl, in milliseconds.
func leaseBody(_ id: String, ttl: Int, left: Int? = nil, fence: Int = 7) -> String {
  """
  {"lease":"\(id)","ref":"\(id)","key":"deploy","fence":\(fence),"ttl_ms":\(ttl),"expires_in_ms":\(left ?? ttl),\
  "waited_ms":0}
  """
}

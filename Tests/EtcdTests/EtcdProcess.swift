import Glibc
import HTTPExchange
import LeaseholdHost
import Testing

@testable import EtcdGateway

/// An etcd of its own: one node on the loopback, with its data in a folder that goes with it.
final class EtcdProcess {
  /// The programs to try: those that `LEASEHOLD_ETCD` names, parted by colons, else the system's.
  static let programs: [String] = {
    guard let named = getenv("LEASEHOLD_ETCD") else {
      return ["/usr/bin/etcd", "/usr/local/bin/etcd"].filter { access($0, X_OK) == 0 }
    }
    return String(cString: named).split(separator: ":").map { String($0) }
  }()

  let port: UInt16
  private let folder: String
  private let words: [String]
  private var process = pid_t()

  /// Starts it, and waits until it answers.
  init(_ program: String, scheme: String = "http", _ more: [String] = []) throws {
    var template = Array("/tmp/leasehold-etcd-XXXXXX".utf8CString)
    folder = String(cString: try #require(mkdtemp(&template)))
    port = Self.freePort()
    let (client, peer) = ("\(scheme)://127.0.0.1:\(port)", "http://127.0.0.1:\(Self.freePort())")
    words =
      [
        program, "--name", "m", "--data-dir", folder + "/data", "--listen-client-urls", client,
        "--advertise-client-urls", client, "--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer,
        "--initial-cluster", "m=" + peer, "--heartbeat-interval", "20", "--election-timeout", "120", "--logger", "zap",
        "--log-level", "fatal", "--log-outputs", folder + "/log",
      ] + more
    try start()
  }

  deinit {
    stop(SIGKILL)
    let words = ["rm", "-rf", folder]
    var arguments = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var remover = pid_t()
    if posix_spawnp(&remover, "rm", nil, nil, &arguments, environ) == 0 { waitpid(remover, nil, 0) }
  }

  func start() throws {
    var arguments = words.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    try #require(posix_spawn(&process, words[0], nil, nil, &arguments, environ) == 0)
  }

  func stop(_ signal: Int32) {
    guard process > 0 else { return }
    kill(process, signal)
    waitpid(process, nil, 0)
    process = 0
  }

  /// Stops it, and waits until all its threads stand.
  func pause() {
    kill(process, SIGSTOP)
    waitpid(process, nil, WUNTRACED)
  }
  func resume() { kill(process, SIGCONT) }

  static func peer(_ port: UInt16) -> HTTPPeer {
    HTTPPeer(.tcp(host: "127.0.0.1", port: port), setting: "--etcd-ca")
  }

  /// A gateway to it, once it answers.
  func gateway(_ change: (inout EtcdGateway.Configuration) -> Void = { _ in }) throws -> EtcdGateway {
    var configuration = EtcdGateway.Configuration(endpoints: [Self.peer(port)])
    change(&configuration)
    let gateway = EtcdGateway(configuration)
    try untilReady(gateway)
    return gateway
  }

  /// Waits until it answers.
  func untilReady(_ gateway: EtcdGateway? = nil) throws {
    let gateway = gateway ?? EtcdGateway(.init(endpoints: [Self.peer(port)]))
    let end = HostClock.monotonic(after: .seconds(20))
    while HostClock.monotonic() < end {
      switch gateway.versions(before: end)[0].version {
      case .success: return
      case .failure: HostClock.sleep(nanoseconds: 20_000_000)
      }
    }
    throw EtcdFailure.unavailable("it does not start")
  }

  /// A port that nobody listened on a moment ago.
  static func freePort() -> UInt16 {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(descriptor) }
    var name = sockaddr_in()
    name.sin_family = sa_family_t(AF_INET)
    name.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    return withUnsafeMutablePointer(to: &name) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        _ = bind(descriptor, $0, length)
        getsockname(descriptor, $0, &length)
      }
      return UInt16(bigEndian: pointer.pointee.sin_port)
    }
  }
}

/// The deadline of a call that must not fail for want of time.
func soon() -> Int64 { HostClock.monotonic(after: .seconds(10)) }

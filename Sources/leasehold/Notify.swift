internal import Glibc
internal import Leasehold

/// Tells the service manager how the daemon is; does nothing where `$NOTIFY_SOCKET` is not set.
///
/// The protocol is that of sd_notify(3): a datagram with one `NAME=value` a line.
struct Notify: Sendable {
  /// A path, or an abstract name after `@`.
  private let socketName: String?
  /// Time between two ``watchdog(status:)``: half of what the manager allows; `nil` when it does not watch.
  let watchdogInterval: TimeSpan?

  init(environment: [String: String], processID: Int32 = getpid()) {
    socketName = environment["NOTIFY_SOCKET"].flatMap { $0.isEmpty ? nil : $0 }
    let watched = environment["WATCHDOG_PID"].map { $0 == String(processID) } ?? true
    let allowed = environment["WATCHDOG_USEC"].flatMap(Int64.init) ?? 0
    watchdogInterval = watched && allowed > 0 ? TimeSpan(nanoseconds: min(allowed, .max / 1000) * 500) : nil
  }

  /// True when a manager waits to hear that the daemon is ready.
  var isAwaited: Bool { socketName != nil }

  /// The daemon serves.
  func ready(status: String) { send("READY=1\nSTATUS=\(Notify.oneLine(status))") }

  /// The daemon begins to stop.
  func stopping() { send("STOPPING=1") }

  /// One line for `systemctl status`.
  func status(_ line: String) { send("STATUS=" + Notify.oneLine(line)) }

  /// The daemon is alive, and how it is in one line; due every ``watchdogInterval``.
  func watchdog(status: String) { send("WATCHDOG=1\nSTATUS=\(Notify.oneLine(status))") }

  private static func oneLine(_ text: String) -> String {
    String(text.map { $0.isNewline ? " " : $0 })
  }

  /// The time for which a manager that does not read its messages is waited for.
  private static let patience = 1

  /// A message that cannot be delivered is dropped: no other reader would hear of it.
  private func send(_ message: String) {
    guard let socketName, ["/", "@"].contains(socketName.first) else { return }
    let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { return }
    defer { close(descriptor) }
    var patience = timeval(tv_sec: Self.patience, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    Self.withAddress(of: socketName) { address, length in
      _ = sendto(descriptor, message, message.utf8.count, Int32(MSG_NOSIGNAL), address, length)
    }
  }

  /// Runs the body with the address of a path, or of an abstract name after `@`.
  static func withAddress<Value>(of name: String, _ body: (UnsafePointer<sockaddr>?, socklen_t) -> Value) -> Value {
    // An abstract name has no end of its own, and a path needs none.
    let name = name.hasPrefix("@") ? "\0" + name.dropFirst() : name
    let address = withUnsafeBytes(of: sa_family_t(AF_UNIX)) { Array($0) } + name.utf8
    return address.withUnsafeBytes { body($0.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t($0.count)) }
  }
}

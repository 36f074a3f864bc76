import Glibc
import LeaseholdHost
import Synchronization

@testable import LeaseholdLocal

/// Runs the body on a thread of its own and waits for its result.
///
/// Credentials and namespaces belong to a thread in Linux; libc only makes the credentials look like the process's.
func onOwnThread<Value: Sendable>(_ body: @escaping @Sendable () -> Value) -> Value? {
  let value = Mutex<Value?>(nil)
  let box = Box(value)
  guard let thread = HostThread({ box.put(body()) }) else { return nil }
  thread.join()
  return box.take()
}

private final class Box<Value: Sendable>: Sendable {
  private let value: Mutex<Value?>
  init(_ value: consuming Mutex<Value?>) { self.value = value }
  func put(_ new: Value) { value.withLock { $0 = new } }
  func take() -> Value? { value.withLock { $0 } }
}

private func systemCall(_ number: Int, _ first: Int, _ second: Int = 0, _ third: Int = 0) -> Int {
  typealias SystemCall = @convention(c) (Int, Int, Int, Int) -> Int
  guard let symbol = dlsym(nil, "syscall") else { return -1 }
  return unsafeBitCast(symbol, to: SystemCall.self)(number, first, second, third)
}

/// Another user, for as long as the body runs, on a thread of its own.
enum AnotherUser {
  static let id: UInt32 = 65534

  /// Whether this process may do it at all: root, and that user exists in its user namespace.
  static let isAvailable = run { true } ?? false

  static func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) -> Value? {
    (onOwnThread { become() ? body() : nil } as Value??).flatMap(\.self)
  }

  private static func become() -> Bool {
    #if arch(x86_64)
      let (setgroups, setresgid, setresuid) = (116, 119, 117)
    #else
      let (setgroups, setresgid, setresuid) = (159, 149, 147)
    #endif
    let user = Int(id)
    return systemCall(setgroups, 0) == 0 && systemCall(setresgid, user, user, user) == 0
      && systemCall(setresuid, user, user, user) == 0
  }
}

/// An IPC namespace of its own, for a thread and the threads it starts: limits can be set there and hurt nobody.
enum OwnNamespace {
  /// Whether this process may make one: CAP_SYS_ADMIN, unshare(2).
  static let isAvailable = run { true } ?? false

  static func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) -> Value? {
    (onOwnThread { unshare(CLONE_NEWIPC) == 0 ? body() : nil } as Value??).flatMap(\.self)
  }

  private static let CLONE_NEWIPC: Int32 = 0x0800_0000

  private static func unshare(_ flags: Int32) -> Int {
    #if arch(x86_64)
      systemCall(272, Int(flags))
    #else
      systemCall(97, Int(flags))
    #endif
  }
}

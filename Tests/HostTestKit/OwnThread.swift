import Glibc

// Credentials and namespaces belong to a thread in Linux; libc only makes the credentials look like the process's.

/// Another user, for as long as the body runs, on a thread of its own.
package enum AnotherUser {
  package static let id: UInt32 = 65534

  /// True where this process may do it at all: as root, if that user exists in its user namespace.
  package static let isAvailable = run { true } ?? false

  package static func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) -> Value? {
    TestThread<Value?> { become() ? body() : nil }.join()
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
package enum OwnNamespace {
  /// True where this process may make one: CAP_SYS_ADMIN, unshare(2).
  package static let isAvailable = run { true } ?? false

  package static func run<Value: Sendable>(_ body: @escaping @Sendable () -> Value) -> Value? {
    TestThread<Value?> { unshare(CLONE_NEWIPC) == 0 ? body() : nil }.join()
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

private func systemCall(_ number: Int, _ first: Int, _ second: Int = 0, _ third: Int = 0) -> Int {
  typealias SystemCall = @convention(c) (Int, Int, Int, Int) -> Int
  guard let symbol = dlsym(nil, "syscall") else { return -1 }
  return unsafeBitCast(symbol, to: SystemCall.self)(number, first, second, third)
}

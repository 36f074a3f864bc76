/// A refusal by the kernel: the errno and, where one was hit, the limit.
public struct KernelFailure: Error, Sendable, Equatable {
  /// The errno.
  public let errno: KernelErrno
  /// The limit that was hit.
  public let limit: KernelLimit?

  /// Makes a failure.
  public init(_ errno: KernelErrno, limit: KernelLimit? = nil) {
    self.errno = errno
    self.limit = limit
  }

  /// Whether the kernel may do the same operations later: it lacked memory, or this process the right to do them.
  var mayPass: Bool { [.noMemory, .accessDenied, .notPermitted, .interrupted, .noSuchCall].contains(errno) }
}

/// A limit of the kernel for semaphores, and what it is.
public struct KernelLimit: Sendable, Equatable {
  /// The names of the limits, as semget(2) has them.
  public enum Name: String, Sendable {
    case sets = "SEMMNI"
    case semaphores = "SEMMNS"
    case semaphoresPerSet = "SEMMSL"
  }

  /// The limit.
  public let name: Name
  /// Its value.
  public let value: Int

  /// Makes a limit.
  public init(_ name: Name, _ value: Int) {
    self.name = name
    self.value = value
  }
}

/// A number of errno as Linux has them.
public struct KernelErrno: RawRepresentable, Hashable, Sendable {
  /// The number.
  public let rawValue: Int32

  /// Makes an errno of its number.
  public init(rawValue: Int32) { self.rawValue = rawValue }

  /// EPERM.
  public static let notPermitted = Self(rawValue: 1)
  /// EINTR.
  public static let interrupted = Self(rawValue: 4)
  /// E2BIG.
  public static let listTooLong = Self(rawValue: 7)
  /// EAGAIN.
  public static let wouldBlock = Self(rawValue: 11)
  /// ENOMEM.
  public static let noMemory = Self(rawValue: 12)
  /// EACCES.
  public static let accessDenied = Self(rawValue: 13)
  /// EEXIST.
  public static let exists = Self(rawValue: 17)
  /// EFBIG.
  public static let noSuchSemaphore = Self(rawValue: 27)
  /// ENOSPC.
  public static let noSpace = Self(rawValue: 28)
  /// ERANGE.
  public static let outOfRange = Self(rawValue: 34)
  /// ENOSYS.
  public static let noSuchCall = Self(rawValue: 38)

  /// The C name, for example `ENOSPC`; `errno 95` where semop(2), semctl(2), semget(2) and shmat(2) know no such error.
  public var name: String { Self.names[rawValue] ?? "errno \(rawValue)" }

  private static let names: [Int32: String] = [
    1: "EPERM", 2: "ENOENT", 4: "EINTR", 7: "E2BIG", 11: "EAGAIN", 12: "ENOMEM", 13: "EACCES", 14: "EFAULT",
    17: "EEXIST", 22: "EINVAL", 23: "ENFILE", 24: "EMFILE", 27: "EFBIG", 28: "ENOSPC", 34: "ERANGE", 38: "ENOSYS",
    43: "EIDRM", 75: "EOVERFLOW",
  ]
}

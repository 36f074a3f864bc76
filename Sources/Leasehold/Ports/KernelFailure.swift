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

/// An error of the kernel: the number that Linux has for it tells it from others.
public struct KernelErrno: Equatable, Sendable {
  /// The number.
  public let number: Int32
  /// The C name, for example `ENOSPC`.
  public let name: String

  /// Makes an error of its number and name, as errno(3) has them.
  public init(_ number: Int32, _ name: String) {
    self.number = number
    self.name = name
  }

  /// Returns true when two are the same error, whatever they are called.
  public static func == (one: Self, other: Self) -> Bool { one.number == other.number }

  /// EPERM.
  public static let notPermitted = Self(1, "EPERM")
  /// EINTR.
  public static let interrupted = Self(4, "EINTR")
  /// E2BIG.
  public static let listTooLong = Self(7, "E2BIG")
  /// EAGAIN.
  public static let wouldBlock = Self(11, "EAGAIN")
  /// ENOMEM.
  public static let noMemory = Self(12, "ENOMEM")
  /// EACCES.
  public static let accessDenied = Self(13, "EACCES")
  /// EEXIST.
  public static let exists = Self(17, "EEXIST")
  /// EFBIG.
  public static let noSuchSemaphore = Self(27, "EFBIG")
  /// ENOSPC.
  public static let noSpace = Self(28, "ENOSPC")
  /// ERANGE.
  public static let outOfRange = Self(34, "ERANGE")
  /// ENOSYS.
  public static let noSuchCall = Self(38, "ENOSYS")
}

public import SystemPackage

extension Errno {
  /// The C name of the error: "EAGAIN", "EIDRM".
  ///
  /// `nil` for a number that libc does not know. The corresponding C function is `strerrorname_np`.
  public var name: String? {
    system_strerrorname_np(rawValue).map { String(cString: $0) }
  }
}

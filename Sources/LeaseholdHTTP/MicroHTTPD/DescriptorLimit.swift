import Glibc

/// Raises the limit on open descriptors to its hard limit, as each connection takes one.
///
/// - Returns: The limit from now on.
///
/// The corresponding C function is `setrlimit` with `RLIMIT_NOFILE`.
@discardableResult
func raiseDescriptorLimit() -> UInt64 {
  var limit = rlimit()
  let resource = __rlimit_resource_t(UInt32(RLIMIT_NOFILE.rawValue))
  guard getrlimit(resource, &limit) == 0 else { return 0 }
  guard limit.rlim_cur < limit.rlim_max else { return UInt64(limit.rlim_cur) }
  let before = limit.rlim_cur
  limit.rlim_cur = limit.rlim_max
  return UInt64(setrlimit(resource, &limit) == 0 ? limit.rlim_max : before)
}

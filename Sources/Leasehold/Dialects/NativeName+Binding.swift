public import SysVTypes

// Where a native name leads: the key, the semaphore and the permissions that its programs use where nothing else is
// said. A set that does not look like theirs is refused by who binds the lock.

extension NativeRequest {
  /// `php:KEY`, as `sem_get` with its own defaults.
  public static func php(_ key: Int32, permissions: UInt16? = nil, for caller: Caller) -> NativeRequest {
    NativeRequest(
      .php, at: .key(key), semaphore: 0, count: PHPDialect.semaphores, permissions: permissions ?? 0o666,
      peer: caller.peer, groups: caller.groups)
  }

  /// `apache:SESSION`, as the module with its own defaults.
  ///
  /// - Parameters:
  ///   - count: The module's NumSems.
  ///   - key: The module's SemaphoreKey.
  public static func apache(
    _ session: ExactText, count: Int? = nil, key: Int32? = nil, permissions: UInt16? = nil, for caller: Caller
  ) -> NativeRequest {
    let count = count ?? ApacheDialect.defaultSemaphores
    return NativeRequest(
      .apache, at: .key(key ?? ApacheDialect.defaultKey),
      semaphore: ApacheDialect.number(of: session.text.utf8, halfOf: count), count: count,
      permissions: permissions ?? 0o700, peer: caller.peer, groups: caller.groups)
  }

  /// `sharelite:KEY`: the set beside a share.
  public static func sharelite(_ key: Int32, permissions: UInt16? = nil, for caller: Caller) -> NativeRequest {
    NativeRequest(
      .apache, at: .key(key), semaphore: ShareLite.reader, count: ShareLite.semaphores,
      permissions: permissions ?? 0o666, peer: caller.peer, groups: caller.groups)
  }

  /// `path:/PATH`: a semaphore of the set under the key of a file.
  ///
  /// - Parameters:
  ///   - project: The second argument of ftok(3).
  ///   - count: Semaphores of a set that is made.
  ///   - values: Their values; none where the request makes no set.
  ///   - touches: False where the file keeps its time.
  public static func path(
    _ path: ExactText, project: UInt8, semaphore: Int, count: Int, permissions: UInt16?, values: [UInt16],
    touches: Bool, isEndless: Bool, for caller: Caller
  ) -> NativeRequest {
    NativeRequest(
      .path, at: .path(path.text, project: project), semaphore: semaphore, count: count,
      permissions: permissions ?? 0o666, values: values, touches: touches, isEndless: isEndless, peer: caller.peer,
      groups: caller.groups)
  }

  /// `sysv:SET.NUMBER` on a set that exists, whatever its size.
  public static func semaphore(
    _ number: Int, of set: IPCAddress, isEndless: Bool, for caller: Caller
  ) -> NativeRequest {
    NativeRequest(
      .sysv, at: NativeRequest.Place(set), semaphore: number, count: 0, permissions: 0, isEndless: isEndless,
      peer: caller.peer, groups: caller.groups)
  }

  /// `sysv:KEY.NUMBER` on a set that is made where there is none, as `semget` and a first value would.
  ///
  /// - Parameters:
  ///   - count: Semaphores of the set; without it as many as `number` needs.
  ///   - value: The value of each.
  public static func madeSemaphore(
    _ number: Int, of key: Int32, count: Int?, value: Int?, permissions: UInt16?, isEndless: Bool, for caller: Caller
  ) -> NativeRequest {
    let count = count ?? number + 1
    return NativeRequest(
      .sysv, at: .key(key), semaphore: number, count: count, permissions: permissions ?? 0o600,
      values: Array(repeating: UInt16(value ?? 1), count: count), isEndless: isEndless, peer: caller.peer,
      groups: caller.groups)
  }
}

extension NativeRequest.Place {
  fileprivate init(_ set: IPCAddress) {
    switch set {
    case .key(let key): self = .key(key)
    case .id(let id): self = .id(id)
    }
  }
}

extension LockKey {
  /// The lock that PHP's programs hold while they use the variables of a segment: the semaphore of the same key.
  ///
  /// - Parameter key: The segment's key, not 0.
  public init(guardingVariablesAt key: Int32) {
    self.init(trusted: "php:" + IPCKey(rawValue: key).shortHexadecimal)
  }
}

extension LeaseSnapshot {
  /// Returns true when it is on the semaphore that guards a segment's variables, by either of its names.
  public func guardsVariables(at key: Int32) -> Bool {
    switch self.key.native {
    case .php, .semaphore: binding?.key == key && binding?.semaphore == 0
    case .apache, .sharelite, .path, nil: false
    }
  }
}

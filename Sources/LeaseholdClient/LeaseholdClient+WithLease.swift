internal import LeaseholdHost

extension LeaseholdClient {
  /// Takes a lock, runs the body, and gives the lock back however the body ends.
  ///
  /// The lease is renewed at a third of its ttl. When it is lost, the body's task is canceled, and once the body has
  /// ended this throws ``ClientError/leaseLost(reason:)``. A service that is restarted meanwhile does not matter as
  /// long as it is back before the deadline.
  ///
  /// ```swift
  /// try await client.withLease("deploy", wait: .seconds(10)) { lease in
  ///   try await deploy(fence: lease.fence)
  /// }
  /// ```
  /// - Parameters:
  ///   - key: The lock's name.
  ///   - wait: How long to queue while others hold it.
  ///   - options: All else; ``LeaseOptions/wait`` is overridden by `wait` when that is given.
  /// - Throws: ``ClientError`` of the acquire, ``ClientError/leaseLost(reason:)``, and what `body` throws.
  public func withLease<Value: Sendable>(
    _ key: String, wait: Duration? = nil, _ options: LeaseOptions = LeaseOptions(),
    body: @escaping @Sendable (Lease) async throws -> Value
  ) async throws -> Value {
    var options = options
    if let wait { options.wait = wait }
    let lease = try await acquire(key, options)
    do {
      let value = try await keeping(lease, while: body)
      // The work is done: a release that fails must not make it look undone. The clock ends the lease then.
      await releaseInAnyCase(lease)
      return value
    } catch {
      await releaseInAnyCase(lease)
      throw error
    }
  }

  /// Releases also when the task is canceled; errors are left to the clock.
  private func releaseInAnyCase(_ lease: Lease) async {
    await Task { _ = try? await self.release(lease) }.value
  }

  private func keeping<Value: Sendable>(
    _ lease: Lease, while body: @escaping @Sendable (Lease) async throws -> Value
  ) async throws -> Value {
    try await withThrowingTaskGroup(of: Value?.self) { group in
      group.addTask { try await body(lease) }
      group.addTask {
        try await self.keepRenewing(lease)
        return nil
      }
      var lost: ClientError?
      while let result = await group.nextResult() {
        switch result {
        case .success(let value?):
          group.cancelAll()
          if let lost { throw lost }
          return value
        case .success(nil): continue
        case .failure(let error):
          group.cancelAll()
          if case ClientError.leaseLost? = error as? ClientError, lost == nil {
            lost = error as? ClientError
          } else {
            throw lost ?? error
          }
        }
      }
      throw lost ?? ClientError.canceled
    }
  }

  /// Renews until the task is canceled.
  ///
  /// - Throws: ``ClientError/leaseLost(reason:)``.
  private func keepRenewing(_ lease: Lease) async throws {
    var lease = lease
    while let next = lease.renewal(after: HostClock.monotonic()) {
      try await Task.sleep(for: .nanoseconds(max(0, next - HostClock.monotonic())))
      lease = try await renewInTime(lease)
    }
  }

  private func renewInTime(_ lease: Lease) async throws -> Lease {
    while true {
      do {
        return try await renew(lease)
      } catch {
        if case .canceled = error { throw error }
        if let problem = error.problem, !problem.isTemporary { throw ClientError.leaseLost(reason: problem.detail) }
        if let deadline = lease.deadline, HostClock.monotonic() >= deadline {
          throw ClientError.leaseLost(reason: "its time was up before the service could be reached: \(error)")
        }
        try await Task.sleep(for: .milliseconds(200))
      }
    }
  }
}

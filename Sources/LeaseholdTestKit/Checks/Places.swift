package import Leasehold

// Where something stands in the kernel, for tests of an engine that has one; a trap where it stands nowhere.

extension LeaseSnapshot {
  /// The place of a lease.
  package var place: SemaphoreBinding { known(binding) }
}

extension LeasePart {
  /// The place of a part.
  package var place: SemaphoreBinding { known(binding) }
}

extension LockSnapshot {
  /// The place of a lock.
  package var place: SemaphoreBinding { known(binding) }
}

private func known(_ binding: SemaphoreBinding?) -> SemaphoreBinding {
  guard let binding else { preconditionFailure("it stands in no semaphore") }
  return binding
}

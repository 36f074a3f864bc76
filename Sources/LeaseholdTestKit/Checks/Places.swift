package import Leasehold

/// Something that stands in the kernel, for tests of an engine that has one.
package protocol Placed {
  var binding: SemaphoreBinding? { get }
}

extension Placed {
  /// Its place; a trap where it stands nowhere.
  package var place: SemaphoreBinding {
    guard let binding else { preconditionFailure("it stands in no semaphore") }
    return binding
  }
}

extension LeaseSnapshot: Placed {}
extension LeasePart: Placed {}
extension LockSnapshot: Placed {}

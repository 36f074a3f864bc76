import Leasehold
import Synchronization

/// The parts that fail at the moment; each change is told once, however often the failure is seen.
final class FaultBook: Sendable {
  private let book = Mutex<[ServiceFault]>([])
  private let report: (@Sendable (FaultNotice) -> Void)?

  init(report: (@Sendable (FaultNotice) -> Void)?) { self.report = report }

  /// The parts that fail, in the order in which they began to.
  var current: [ServiceFault] { book.withLock(\.self) }

  /// Notes that a part fails, or with `nil` that it works.
  func note(_ part: ServiceFault.Part, _ reason: String?) {
    let notice = book.withLock { faults -> FaultNotice? in
      let place = faults.firstIndex { $0.part == part }
      guard let reason else { return place.map { .ended(faults.remove(at: $0).part) } }
      guard let place else {
        faults.append(ServiceFault(part, reason))
        return .began(ServiceFault(part, reason))
      }
      faults[place].reason = reason
      return nil
    }
    if let notice { report?(notice) }
  }

  /// Notes that another program removed a part, and that it is there again.
  func noteReplaced(_ part: ServiceFault.Part) {
    note(part, nil)
    report?(.replaced(part))
  }
}

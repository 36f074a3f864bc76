internal import Glibc
internal import LeaseholdHost

/// The outcome of one try of a call that does not block.
enum Tried<Value> {
  case done(Value)
  /// It is to be tried again after these events of poll(2).
  case blocked(Socket, Int16)
}

/// Tries a call until it is done; blocks the thread meanwhile.
///
/// - Parameter deadline: Nanoseconds of CLOCK_MONOTONIC.
func finish<Value>(
  before deadline: Int64, _ call: () throws(HTTPFailure) -> Tried<Value>
) throws(HTTPFailure) -> Value {
  while true {
    switch try call() {
    case .done(let value): return value
    case .blocked(let socket, let events): try socket.wait(events, before: deadline)
    }
  }
}

/// Tries a call until it is done; the task waits meanwhile, and no thread does.
func finish<Value>(
  before deadline: Int64, _ call: () throws(HTTPFailure) -> Tried<Value>
) async throws(HTTPFailure) -> Value {
  while true {
    switch try call() {
    case .done(let value): return value
    case .blocked(let socket, let events):
      switch await TaskPoller.shared.wait(TaskPoller.shared.token(), for: socket, events, until: deadline) {
      case .ready: continue
      case .timedOut: throw .timedOut
      case .ended: throw .aborted
      case .failed(let code): throw .system(code)
      }
    }
  }
}

import Leasehold
import PHPVariables
import SysV
import SystemPackage

extension SegmentStore {
  /// The kernel's error in words for a caller.
  func explain(_ error: Errno, _ address: IPCAddress?) -> LeaseholdError {
    let name = text(address)
    let facts: [(name: String, value: LeaseholdError.Value)] = [
      ("segment", .text(name)), ("errno", .text(error.label)),
    ]
    switch error {
    case .noSuchFileOrDirectory, .invalidArgument, .identifierRemoved:
      return LeaseholdError(
        .noSuchSegment,
        "This IPC namespace has no segment \(name); make it with POST /segments, or see GET /segments.",
        facts: facts)
    case .permissionDenied, .notPermitted:
      return LeaseholdError(
        .permissionDenied,
        "Owner or mode of segment \(name) do not let this service do that; GET /segments shows both.", facts: facts)
    case .noMemory:
      return LeaseholdError(
        .kernelLimit, "There is no memory to attach segment \(name); free some and try again.",
        facts: facts + [("limit", .text("memory")), ("value", .number(0))])
    default:
      return LeaseholdError(.internalError, "The kernel refuses segment \(name) (\(error.label)).", facts: facts)
    }
  }

  /// Why a segment could not be made.
  func full(_ error: Errno, _ request: SegmentRequest) -> LeaseholdError {
    if error == .permissionDenied || error == .notPermitted { return explain(error, request.key.map { .key($0) }) }
    let limit = StartLimit(bytes: request.byteCount, error)
    guard limit != nil || error == .noMemory else {
      return LeaseholdError(
        .internalError, "The kernel makes no segment (\(error.label)).", facts: [("errno", .text(error.label))])
    }
    let (name, value) = limit.map { ($0.name, $0.value) } ?? ("memory", 0)
    return LeaseholdError(
      .kernelLimit,
      "The kernel has no room for a segment of \(request.byteCount) bytes (\(name)); ask for less, remove "
        + "segments that nobody uses, or raise the limit.",
      facts: [
        ("errno", .text(error.label)), ("limit", .text(name)), ("value", .number(Int64(clamping: value))),
        ("size_bytes", .number(Int64(request.byteCount))),
      ])
  }

  /// Not for callers: the ledger has all lease ids.
  func ownSegment(_ address: IPCAddress?) -> LeaseholdError {
    LeaseholdError(
      .permissionDenied, "Segment \(text(address)) holds this service's own records; use a segment of your own.",
      facts: [("segment", .text(text(address))), ("errno", .text("EACCES"))])
  }

  /// A header or chunk that cannot be.
  func corrupt(_ flaw: SegmentFlaw, _ address: IPCAddress?) -> LeaseholdError {
    LeaseholdError(
      .corruptSegment,
      "Segment \(text(address)) is not a whole segment of PHP: \(flaw.text). Nothing was changed; POST /segments with "
        + "init=true writes a new header over it.",
      facts: [("segment", .text(text(address))), ("reason", .text(flaw.text))])
  }

  func explain(
    _ failure: StoreFailure, _ number: Int64, _ segment: borrowing VariableSegment, _ address: IPCAddress?
  ) -> LeaseholdError {
    switch failure {
    case .flaw(let flaw): corrupt(flaw, address)
    case .full(let needed, let free):
      LeaseholdError(
        .segmentFull,
        "Variable \(number) needs \(needed) bytes and segment \(text(address)) has \(free) for it; what was stored "
          + "stays. Remove variables, or make a larger segment.",
        facts: [
          ("segment", .text(text(address))), ("needed_bytes", .number(Int64(needed))),
          ("free_bytes", .number(Int64(free))), ("size_bytes", .number(Int64(segment.totalBytes))),
        ])
    case .keyOutOfRange:
      LeaseholdError(
        .outOfRange, "'var' is beyond the integers of the PHP that made segment \(text(address)).",
        facts: [("parameter", .text("var")), ("value", .text("\(number)"))])
    }
  }
}

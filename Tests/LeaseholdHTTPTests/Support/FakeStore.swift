import Leasehold
import Synchronization
import SysVTypes

/// A store with one segment that remembers what it was told, and stores nothing.
final class FakeStore: VariableStore {
  private struct State {
    var guardKey: Int32 = 0x5afe
    var puts: [VariablePut] = []
    var creations: [SegmentRequest] = []
  }

  private let state = Mutex(State())

  /// What was stored.
  var puts: [VariablePut] { state.withLock { $0.puts } }
  var creations: [SegmentRequest] { state.withLock { $0.creations } }

  /// The key of the one segment; 0 is a private one.
  var guardKey: Int32 {
    get { state.withLock { $0.guardKey } }
    set { state.withLock { $0.guardKey = newValue } }
  }

  func acting(for caller: Caller) -> any VariableStore { self }

  func segment(_ address: IPCAddress?, making: Bool) throws(LeaseholdError) -> SegmentInfo {
    let permissions = IPCPermissions(
      key: IPCKey(rawValue: guardKey), owner: 0, group: 0, creator: 0, creatorGroup: 0, mode: [])
    return SegmentInfo(id: 7, status: SharedMemoryStatus(permissions: permissions))
  }

  func variable(
    _ key: VariableKey, fence: Int64?, in address: IPCAddress?
  ) throws(LeaseholdError) -> StoredVariable? {
    puts.last.map { StoredVariable(key: 1, text: $0.text, tag: "aa") }
  }

  func put(_ put: VariablePut, in address: IPCAddress?) throws(LeaseholdError) -> (
    key: Int64, replaced: Bool, tag: String
  ) {
    state.withLock { $0.puts.append(put) }
    return (key: 1, replaced: false, tag: "aa")
  }

  func remove(
    _ key: VariableKey, fence: Int64?, if condition: VariableCondition, in address: IPCAddress?
  ) throws(LeaseholdError) -> (key: Int64, freedBytes: Int)? { nil }

  func variables(in address: IPCAddress?, from cursor: Int, limit: Int) throws(LeaseholdError) -> VariableList {
    VariableList()
  }

  func segments(from cursor: Int, limit: Int) throws(LeaseholdError) -> SegmentInventory {
    SegmentInventory([], from: 0, limit: 0, SharedMemoryLimits(), SharedMemoryUsage()) { $0 }
  }

  func create(_ request: SegmentRequest) throws(LeaseholdError) -> (
    segment: SegmentInfo, created: Bool, initialized: Bool
  ) {
    state.withLock { $0.creations.append(request) }
    return (segment: try segment(nil, making: true), created: true, initialized: true)
  }

  func change(
    _ address: IPCAddress, uid: UInt32?, gid: UInt32?, mode: UInt16?
  ) throws(LeaseholdError) -> SegmentInfo { try segment(address, making: false) }

  func remove(_ address: IPCAddress, force: Bool) throws(LeaseholdError) -> SegmentInfo {
    try segment(address, making: false)
  }

  func read(_ address: IPCAddress, offset: Int, length: Int?) throws(LeaseholdError) -> [UInt8] { [] }

  func write(
    _ bytes: [UInt8], to address: IPCAddress, offset: Int, length: Int
  ) throws(LeaseholdError) -> SegmentInfo { try segment(address, making: false) }
}

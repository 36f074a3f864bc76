package import Leasehold
package import SysVTypes

// Sets that native programs use: made and found as the real kernel's side does it.

extension SimulatedKernel {
  /// The key of a request: paths have one each, made of their bytes.
  package func key(of request: NativeRequest) -> Int32? {
    switch request.place {
    case .key(let key): key
    case .id: nil
    case .path(let path, let project):
      Int32(truncatingIfNeeded: path.utf8.reduce(Int(project) + 1) { ($0 &* 31 &+ Int($1)) & 0xff_ffff })
    }
  }

  package func bind(_ request: NativeRequest, creating: Bool, access: IPCAccess?) throws(BindFailure) -> BoundSet {
    if let found = find(request) {
      let set = state.sets[found]
      let count = set?.values.count ?? 0
      if request.dialect == .php || request.dialect == .apache, count != request.count {
        throw .otherSize(found: count)
      }
      return BoundSet(
        id: BankID(set: found, key: set?.key ?? 0), count: count,
        hasLedger: hasLedger(found, count: count))
    }
    guard creating, let key = key(of: request) else { throw .noSet(errno: "ENOENT") }
    return BoundSet(
      id: BankID(set: makeSet(request, key: key), key: key),
      count: request.dialect == .path
        ? 2 * request.count + CounterDialect.trailerSemaphores : request.count, hasLedger: request.dialect == .path,
      wasMade: true)
  }

  /// Returns true when the last values of a set say that it was made for `path:` locks.
  package func hasLedger(_ set: Int32, count: Int) -> Bool {
    state.sets[set]?.values.suffix(CounterDialect.trailerSemaphores).first == Int(NamedDialect.signature)
  }

  private func find(_ request: NativeRequest) -> Int32? {
    if case .id(let id) = request.place { return state.sets[id] == nil ? nil : id }
    guard let key = key(of: request) else { return nil }
    return state.sets.first { $0.value.key == key }?.key
  }

  private func makeSet(_ request: NativeRequest, key: Int32) -> Int32 {
    guard request.dialect == .path else {
      let values = request.values.map(Int.init)
      return makeForeignSet(key: key, values.isEmpty ? [Int](repeating: 0, count: request.count) : values)
    }
    let trailer = [Int(NamedDialect.signature), Int(CounterDialect.layoutVersion), 0]
    return makeForeignSet(
      key: key, request.values.map(Int.init) + [Int](repeating: 0, count: request.count) + trailer)
  }

  /// A native program makes a set with these values.
  package func makeForeignSet(key: Int32, _ values: [Int]) -> Int32 {
    let id = state.nextSet
    state.nextSet += 1
    var set = SimulatedSet(key: key, count: values.count)
    set.isBank = false
    set.values = values
    state.sets[id] = set
    return id
  }

  package func read(_ set: Int32) -> SetReading {
    state.sets[set].map { .values($0.values.map { UInt16($0) }) } ?? .gone
  }

  package func remove(_ set: Int32) -> KernelOutcome {
    guard state.sets[set] != nil else { return .removed }
    removeSet(set)
    return .done
  }
}

/// Where a lock is in the kernel, and so what is done there: the dialect of a set's kind, at its semaphores.
enum Place {
  /// Leasehold's own, in a bank: one writer and many readers, or slots.
  case own(Bank, place: UInt8, isCounting: Bool)
  /// PHP's three semaphores.
  case php(NativeSet)
  /// One of the sessions' numbers.
  case apache(NativeSet, reader: UInt16)
  /// One semaphore, with a ledger where the set is of our making.
  case counter(NativeSet, semaphore: UInt16, ledger: UInt16?, isPath: Bool)
  /// The place of no lock: what the leases on raw operations of a set stand on.
  case operations(NativeSet)

  /// A place in a set that native programs use too, as a record or a request describes it.
  init(_ set: NativeSet, _ layout: LockLayout, _ semaphore: Int) {
    switch layout {
    case .named: preconditionFailure("own locks lie in banks")
    case .php: self = .php(set)
    case .apache: self = .apache(set, reader: UInt16(semaphore))
    case .counter(let ledger, let isPath):
      self = .counter(set, semaphore: UInt16(semaphore), ledger: ledger.map { UInt16($0) }, isPath: isPath)
    case .operations: self = .operations(set)
    }
  }

  // MARK: What it is

  /// The set.
  @inline(__always)
  var set: BankID {
    switch self {
    case .own(let bank, _, _): bank.id
    case .php(let set), .apache(let set, _), .counter(let set, _, _, _), .operations(let set): set.id
    }
  }

  /// The bank of an own lock.
  var bank: Bank? { if case .own(let bank, _, _) = self { bank } else { nil } }

  /// The set of a native lock.
  var native: NativeSet? {
    switch self {
    case .own: nil
    case .php(let set), .apache(let set, _), .counter(let set, _, _, _), .operations(let set): set
    }
  }

  @inline(__always)
  var isOwn: Bool { if case .own = self { true } else { false } }
  var isPHP: Bool { if case .php = self { true } else { false } }
  var isApache: Bool { if case .apache = self { true } else { false } }
  var isOperations: Bool { if case .operations = self { true } else { false } }
  /// True when it is of `path:` names.
  var isPath: Bool { if case .counter(_, _, _, isPath: true) = self { true } else { false } }

  /// The layout of a native lock as its record says it.
  var nativeLayout: LockLayout? {
    switch self {
    case .own: nil
    case .php: .php
    case .apache(let set, _): .apache(count: set.count)
    case .counter(_, _, let ledger, let isPath): .counter(ledger: ledger.map { Int($0) }, isPath: isPath)
    case .operations: .operations
    }
  }

  // MARK: What tells after a crash

  /// True when the kernel's values tell what is out on leases.
  @inline(__always)
  var countsLeasedUnits: Bool {
    switch self {
    case .own, .php, .apache, .counter(_, _, _?, _): true
    case .counter, .operations: false
    }
  }

  /// True when native programs count themselves where leases are counted.
  @inline(__always)
  var sharesCount: Bool {
    switch self {
    case .php, .apache: true
    case .own, .counter, .operations: false
    }
  }

  /// True when a record must say that units are on their way, because the values alone cannot tell whether they moved.
  @inline(__always)
  var marksMoves: Bool { !countsLeasedUnits || sharesCount }

  // MARK: What is done there

  /// The dialect of its kind.
  var dialect: any LockDialect {
    switch self {
    case .own(_, let place, _): NamedDialect(place: Int(place)).counter
    case .php: PHPDialect()
    case .apache(let set, let reader): ApacheDialect(reader: Int(reader), of: set.count)
    case .counter(_, let semaphore, let ledger, _):
      CounterDialect(semaphore: Int(semaphore), ledger: ledger.map { Int($0) })
    case .operations: CounterDialect(semaphore: LockLayout.operationsNumber, ledger: nil)
    }
  }

  /// The semaphore that names the lock: the place in a bank.
  @inline(__always)
  var semaphore: Int { if case .own(_, let place, _) = self { Int(place) } else { dialect.semaphore } }

  /// Takes a share, or fails as a whole.
  @inline(__always)
  func take(_ share: Share) -> OpList {
    if case .own(_, let place, _) = self { return NamedDialect(place: Int(place)).counter.take(share) }
    return dialect.take(share)
  }

  /// Gives a share back.
  @inline(__always)
  func giveBack(_ share: Share) -> OpList {
    if case .own(_, let place, _) = self { return NamedDialect(place: Int(place)).counter.giveBack(share) }
    return dialect.giveBack(share)
  }
}

/// Where a lock is in the kernel, and so what is done there: the dialect of a set's kind, at its semaphores.
enum Place {
  /// Leasehold's own, in a bank: one writer and many readers, or slots.
  case own(Bank, place: UInt8, isCounting: Bool)
  /// In a set that native programs use too, at the semaphore that names the lock.
  case native(NativeSet, LockLayout, UInt16)

  // MARK: What it is

  /// The set.
  @inline(__always)
  var set: BankID {
    switch self {
    case .own(let bank, _, _): bank.id
    case .native(let set, _, _): set.id
    }
  }

  /// The bank of an own lock.
  var bank: Bank? { if case .own(let bank, _, _) = self { bank } else { nil } }

  /// The set of a native lock.
  var native: NativeSet? { if case .native(let set, _, _) = self { set } else { nil } }

  /// The layout, as its record says it.
  @inline(__always)
  var layout: LockLayout {
    switch self {
    case .own(_, _, let isCounting): .named(isCounting: isCounting)
    case .native(_, let layout, _): layout
    }
  }

  @inline(__always)
  var isOwn: Bool { if case .own = self { true } else { false } }
  var isPHP: Bool { if case .native(_, .php, _) = self { true } else { false } }
  var isApache: Bool { if case .native(_, .apache, _) = self { true } else { false } }
  var isOperations: Bool { if case .native(_, .operations, _) = self { true } else { false } }
  /// True when it is of `path:` names.
  var isPath: Bool { if case .native(_, .counter(_, isPath: true), _) = self { true } else { false } }

  // MARK: What tells after a crash

  /// True when the kernel's values tell what is out on leases.
  @inline(__always)
  var countsLeasedUnits: Bool {
    switch self {
    case .own, .native(_, .php, _), .native(_, .apache, _), .native(_, .counter(_?, _), _): true
    case .native: false
    }
  }

  /// True when native programs count themselves where leases are counted.
  @inline(__always)
  var sharesCount: Bool {
    switch self {
    case .native(_, .php, _), .native(_, .apache, _): true
    case .own, .native: false
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
    case .native(_, .php, _): PHPDialect()
    case .native(let set, .apache, let reader): ApacheDialect(reader: Int(reader), of: set.count)
    case .native(_, .counter(let ledger, _), let semaphore):
      CounterDialect(semaphore: Int(semaphore), ledger: ledger.map { Int($0) })
    case .native(_, _, let semaphore): CounterDialect(semaphore: Int(semaphore), ledger: nil)
    }
  }

  /// The semaphore that names the lock: the place in a bank.
  @inline(__always)
  var semaphore: Int {
    switch self {
    case .own(_, let place, _): Int(place)
    case .native(_, _, let semaphore): Int(semaphore)
    }
  }

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

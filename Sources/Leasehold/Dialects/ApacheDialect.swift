import SysVTypes

/// Apache::Session::Lock::Semaphore: one set for all sessions, the first half of its semaphores for readers, the second
/// for writers.
///
/// Perl adds 1 for each holder; a lease adds 1024. Both only ever ask whether a semaphore is zero. The operations are
/// those of the module, version 1.04, `acquire_read_lock` and `acquire_write_lock`.
public struct ApacheDialect: LockDialect {
  /// The units that a lease adds.
  public static let weight = LeaseCounter.sharedWeight
  /// Semaphores of a set on Linux, unless said otherwise.
  static let defaultSemaphores = 32
  /// The key of the set, unless said otherwise.
  static let defaultKey: Int32 = 31_818

  /// Counts readers.
  public let reader: Int
  /// Counts writers.
  public let writer: Int

  /// The semaphores of a session whose readers have number `reader` in a set of `count`.
  public init(reader: Int, of count: Int) {
    self.reader = reader
    writer = reader + count / 2
  }

  /// The number of a session: `31 * h + ord` over its characters modulo half of `count`, as Perl counts.
  ///
  /// Perl counts in 64-bit integers and goes on in doubles once they do not suffice. Doubles that large are multiples
  /// of powers of two, so ids of 13 hex digits or more all have number 0 where the modulus is 16. Perl programs depend
  /// on it, and so do programs that share locks with them. Half of an odd number is cut for integers and rounded up for
  /// doubles (perlop, Multiplicative Operators). Ids of more than some 200 characters make the module die.
  public static func number(of session: some Sequence<UInt8>, halfOf count: Int) -> Int {
    var exact: UInt64? = 0
    var rounded = 0.0
    for byte in session {
      if let whole = exact {
        let (product, tooLarge) = whole.multipliedReportingOverflow(by: 31)
        let (sum, stillTooLarge) = product.addingReportingOverflow(UInt64(byte))
        if !tooLarge, !stillTooLarge {
          exact = sum
          continue
        }
        rounded = (tooLarge ? 31.0 * Double(whole) : Double(product)) + Double(byte)
        exact = nil
      } else {
        rounded = 31.0 * rounded + Double(byte)
      }
    }
    if let exact { return Int(exact % UInt64(count / 2)) }
    return rounded.isFinite ? Int(rounded.truncatingRemainder(dividingBy: Double((count + 1) / 2))) : 0
  }

  /// The readers' semaphore names the lock.
  public var semaphore: Int { reader }
  /// The writers' semaphore.
  public var companion: Int? { writer }

  private func column(_ mode: LockMode) -> Int { mode == .shared ? reader : writer }

  /// Lets a reader in while there is no writer, a writer while there is no holder.
  public func take(_ share: Share) -> OpList {
    let weight = share.units * Self.weight
    if share.purpose == .upgrade {
      // It is one step, so that no Perl writer comes between, as one may when the module does it.
      return OpList(.add(-weight, to: reader), .expectZero(reader), .expectZero(writer), .add(weight, to: writer))
    }
    return share.mode == .shared
      ? OpList(.expectZero(writer), then: .add(weight, to: reader))
      : OpList(.expectZero(reader), .expectZero(writer), .add(weight, to: writer))
  }

  /// Lets it out.
  public func giveBack(_ share: Share) -> OpList { OpList(.add(-share.units * Self.weight, to: column(share.mode))) }

  /// Waits as the module does.
  public func wait(for share: Share) -> WaitSteps {
    let weight = share.units * Self.weight
    if share.purpose == .upgrade {
      // Waits until one reader is left and changes nothing: the kernel cannot know whose unit that is, and a thread
      // that moved it would take another reader's when its own is over.
      let away = SemaphoreOperation(semaphore: UInt16(reader), delta: Int16(-weight))
      let back = SemaphoreOperation(semaphore: UInt16(reader), delta: Int16(weight))
      return WaitSteps(wait: OpList(away, waiting(reader), waiting(writer), back), drop: OpList())
    }
    let wait =
      share.mode == .shared
      ? OpList(.awaitUndone(0, on: writer), then: .awaitUndone(weight, on: reader))
      : OpList(.awaitUndone(0, on: reader), .awaitUndone(0, on: writer), .awaitUndone(weight, on: writer))
    return WaitSteps(wait: wait, drop: OpList(.addUndone(-weight, to: column(share.mode))))
  }

  /// Turns what was got with SEM_UNDO into a lease's.
  public func permanentWait(_ share: Share) -> OpList {
    let (weight, column) = (share.units * Self.weight, column(share.mode))
    if share.purpose == .upgrade { return take(share) }
    // The positive one first: no moment, and no order of these two, in which the semaphore would be zero.
    return OpList(.add(weight, to: column), then: .addUndone(-weight, to: column))
  }

  /// The writer's share in place of the reader's.
  public func upgrade(capacity: Int?) -> Share? { Share(.exclusive, units: 1, for: .upgrade) }

  /// The reader's share in place of the writer's.
  public func downgrade(capacity: Int?) -> OpList {
    OpList(.add(-Self.weight, to: writer), then: .add(Self.weight, to: reader))
  }

  /// Looks as the module does, and counts no holder.
  public func probe(_ share: Share, waits: Bool) -> OpList {
    let free = [writer, reader].map { waits ? waiting($0) : .expectZero($0) }
    return share.mode == .shared ? OpList(free[0]) : OpList(free[1], then: free[0])
  }

  private func waiting(_ semaphore: Int) -> SemaphoreOperation {
    SemaphoreOperation(semaphore: UInt16(semaphore), delta: 0)
  }

  /// Readers and writers on leases.
  public var counters: [LeaseCounter] {
    [
      LeaseCounter(semaphore: reader, mode: .shared, weight: Self.weight),
      LeaseCounter(semaphore: writer, mode: .exclusive, weight: Self.weight),
    ]
  }
}

import Leasehold
import LeaseholdTestKit
import SysVTypes
import Testing

/// Raw operations on leases: whatever happens, they are taken back once or not at all.
@Suite struct OperationLeaseTests {
  private static func step(_ semaphore: UInt16, _ delta: Int16, undoes: Bool = true) -> SemaphoreOperation {
    SemaphoreOperation(semaphore: semaphore, delta: delta, flags: undoes ? .undo : [])
  }

  private final class Place {
    let scene: Scene
    let set: Int32
    let key: Int32 = 77

    init(_ values: [Int], limits: Limits = Limits(), records: Int = 64) {
      scene = Scene(limits, records: records)
      set = scene.kernel.makeForeignSet(key: key, values)
    }

    var values: [Int] { scene.values(key) }

    /// The daemon does the operations with SEM_UNDO, then puts them on a lease.
    func take(_ steps: [SemaphoreOperation], ttl: TimeSpan = .seconds(30)) -> Result<LeaseSnapshot, LeaseholdError>? {
      let list = steps.map { step in
        step.undoes
          ? SemaphoreOperation.addUndone(Int(step.delta), to: Int(step.semaphore))
          : .add(Int(step.delta), to: Int(step.semaphore))
      }
      guard scene.kernel.operate(set, list: list) == .done else { return nil }
      return lease(steps, ttl: ttl)
    }

    func lease(
      _ steps: [SemaphoreOperation], ttl: TimeSpan = .seconds(30), key idempotencyKey: String? = nil
    ) -> Result<LeaseSnapshot, LeaseholdError> {
      var request = OperationRequest(
        address: .id(set), steps: steps, wait: .zero, caller: Caller(connection: 1, peer: .unknown))
      request.ttl = ttl
      request.idempotencyKey = idempotencyKey
      request.owner = "somebody with a name that does not fit into the record"
      do throws(LeaseholdError) {
        return .success(
          try scene.ledger.lease(
            request, on: BankID(set: set, key: key), count: values.count, waited: .zero, at: scene.daemon.moment))
      } catch {
        return .failure(error)
      }
    }

    func release(_ lease: LeaseSnapshot?) -> LeaseholdError.Code? {
      guard let lease else { return nil }
      return scene.attempt { () throws(LeaseholdError) in
        _ = try scene.ledger.release(lease.id, key: nil, at: scene.daemon.moment)
      }
    }

    func undo(_ semaphore: Int) -> Int {
      scene.kernel.adjustment(of: SimulatedKernel.daemon, set: set, semaphore: semaphore)
    }
  }

  @Test func theEndTakesBackWhatWasToBeTakenBack() throws {
    let place = Place([5, 0, 3])
    let steps = [Self.step(0, -2), Self.step(1, 4), Self.step(2, -1, undoes: false)]
    let lease = try #require(try place.take(steps)?.get())
    #expect(place.values == [3, 4, 2] && place.undo(0) == 0 && place.undo(1) == 0)
    #expect(lease.adjusts == [0, 1] && place.scene.ledger.refs(on: 2..<3, of: place.set).isEmpty)
    #expect(place.scene.ledger.refs(on: 1..<2, of: place.set) == [lease.ref])
    #expect(place.scene.ledger.locks(ListFilter()).entries.isEmpty && place.scene.ledger.status().locks == 0)
    #expect(place.release(lease) == nil && place.values == [5, 0, 2])
    #expect(place.release(lease) == nil && place.values == [5, 0, 2])
  }

  @Test(arguments: [
    (0, 3, -2, 0), (32_767, -32_767, 20_005, 32_767), (10, 30_000, -25_000, 0), (20_000, -12_345, 5_000, 25_000),
    (20_000, -20_000, 100, 20_100), (0, 32_767, -1, 0),
  ])
  func theEndIsCutAsAnExitIs(_ begin: Int, _ ours: Int, _ theirs: Int, _ end: Int) throws {
    let place = Place([begin])
    let lease = try #require(try place.take([Self.step(0, Int16(ours))])?.get())
    #expect(place.values == [begin + ours] && place.undo(0) == 0)
    #expect(place.scene.kernel.perform([.add(theirs, to: 0)], set: place.set, process: 100) == .done)
    #expect(place.release(lease) == nil)
    #expect(place.values == [end])
  }

  @Test func largeValuesDoNotKeepTheUndo() throws {
    // Neither up first nor down first goes in one piece: 30000 were taken, and 10000 are there.
    let place = Place([32_767])
    let steps = [Self.step(0, -30_000)]
    #expect(place.scene.kernel.operate(place.set, list: [.addUndone(-30_000, to: 0)]) == .done)
    #expect(place.scene.kernel.perform([.add(7_233, to: 0)], set: place.set, process: 100) == .done)
    let lease = try place.lease(steps).get()
    #expect(place.values == [10_000] && place.undo(0) == 0)
    place.scene.restart()
    #expect(place.values == [10_000])
    #expect(place.release(lease) == nil && place.values == [32_767])
  }

  @Test func operationsThatCancelOutMakeALeaseOnNothing() throws {
    let place = Place([1])
    let lease = try #require(try place.take([Self.step(0, 2), Self.step(0, -2)])?.get())
    #expect(lease.adjusts == [])
    place.scene.restart()
    #expect(place.release(lease) == nil && place.values == [1])
  }

  @Test func withoutALeaseNothingStays() throws {
    var limits = Limits()
    limits.leases = 1
    let place = Place([5, 5], limits: limits)
    let first = try #require(try place.take([Self.step(0, -1)])?.get())
    let steps = [Self.step(0, -1), Self.step(1, 2), Self.step(1, -3, undoes: false)]
    guard case .failure(let error)? = place.take(steps) else { Issue.record("a lease too many"); return }
    #expect(error.code == .ledgerFull)
    #expect(place.values == [4, 5] && place.undo(0) == 0 && place.undo(1) == 0)
    // Somebody took what is to be taken back meanwhile.
    #expect(place.scene.kernel.operate(place.set, list: [.addUndone(3, to: 1)]) == .done)
    #expect(place.scene.kernel.perform([.add(-7, to: 1)], set: place.set, process: 100) == .done)
    guard case .failure? = Optional(place.lease([Self.step(1, 3)])) else { Issue.record("a lease too many"); return }
    #expect(place.values == [4, 0] && place.undo(1) == 0)
    place.scene.ledger.drain()
    guard case .failure(let late)? = place.take([Self.step(0, -1)]) else { Issue.record("a lease in the end"); return }
    #expect(late.code == .draining && place.values == [4, 0])
    #expect(place.release(first) == nil && place.values == [5, 0])
  }

  @Test func aSecondLeaseUnderOneKeyIsTheFirst() throws {
    let place = Place([5])
    let steps = [Self.step(0, -1)]
    #expect(place.scene.kernel.operate(place.set, list: [.addUndone(-1, to: 0)]) == .done)
    let first = try place.lease(steps, key: "mine").get()
    place.scene.restart()
    #expect(place.scene.kernel.operate(place.set, list: [.addUndone(-1, to: 0)]) == .done)
    let second = try place.lease(steps, key: "mine").get()
    #expect(second.id == first.id && second.replayed && place.values == [4] && place.undo(0) == 0)
    #expect(place.scene.kernel.operate(place.set, list: [.addUndone(-2, to: 0)]) == .done)
    guard case .failure(let error) = place.lease([Self.step(0, -2)], key: "mine") else {
      Issue.record("a lease for other operations")
      return
    }
    #expect(error.code == .idempotencyMismatch && place.values == [4])
    #expect(place.release(first) == nil && place.values == [5])
  }

  @Test func aSetThatIsRemovedTakesItsLeasesAlong() throws {
    let place = Place([5])
    let lease = try #require(try place.take([Self.step(0, -1)])?.get())
    #expect(place.scene.kernel.operate(place.set, list: [.addUndone(-1, to: 0)]) == .done)
    place.scene.kernel.removeSet(place.set)
    guard case .failure(let error) = place.lease([Self.step(0, -1)]) else { Issue.record("a lease on nothing"); return }
    #expect(error.code == .setRemoved)
    #expect(place.release(lease) == .setRemoved)
    #expect(place.scene.flaws().isEmpty && place.scene.ledger.status().leases == 0)
  }

  @Test func brokenLeasesGiveNothingBack() throws {
    let place = Place([5, 5])
    let lease = try #require(try place.take([Self.step(0, -1), Self.step(1, -1)])?.get())
    #expect(place.scene.ledger.breakLeases(on: 1..<2, of: place.set, at: place.scene.daemon.moment) == [lease.ref])
    #expect(place.release(lease) == .broken && place.values == [4, 4])
    place.scene.restart()
    #expect(place.values == [4, 4])
  }

  @Test func aCrashAtAnyStepTakesNothingBackTwice() {
    let begun = [5, 0]
    var step = 0
    var suspects = 0
    while true {
      let place = Place(begun)
      place.scene.daemon.crash.crash(afterStep: step)
      let lease = try? place.take([Self.step(0, -2), Self.step(1, 3)])?.get()
      if !place.scene.daemon.crash.hasCrashed { _ = place.release(lease) }
      guard place.scene.daemon.crash.hasCrashed else { break }
      place.scene.restart()
      place.scene.daemon.crash.disarm()
      let recovery = place.scene.ledger.status().ledger?.recovery ?? RecoveryReport()
      suspects += recovery.suspects + recovery.unsureReleases
      #expect(place.scene.flaws().isEmpty && place.undo(0) == 0 && place.undo(1) == 0, "step \(step)")
      let isSure = recovery.suspects + recovery.unsureReleases == 0
      let found = recovery.leases == 1 ? [3, 3] : begun
      if isSure { #expect(place.values == found, "step \(step)") }
      // Nobody renews, so everything ends.
      place.scene.pass(.seconds(3600))
      if isSure {
        #expect(place.values == begun, "step \(step)")
      } else {
        #expect((3...5).contains(place.values[0]) && (0...3).contains(place.values[1]), "step \(step)")
      }
      step += 1
    }
    #expect(step > 8 && (1...step / 2).contains(suspects), "\(step) steps, \(suspects) suspects")
  }

  @Test func aSuspectIsShownAndEndsWithTheWriteOfItsSemaphore() throws {
    for step in 0..<20 {
      let place = Place([5])
      place.scene.daemon.crash.crash(afterStep: step)
      _ = place.take([Self.step(0, -2)])
      guard place.scene.daemon.crash.hasCrashed else { return }
      place.scene.restart()
      place.scene.daemon.crash.disarm()
      guard place.scene.ledger.status().ledger?.recovery.suspects == 1 else { continue }
      place.scene.pass(.seconds(3600))
      #expect(place.scene.ledger.refs(on: 0..<1, of: place.set).count == 1)
      #expect(place.scene.ledger.breakLeases(on: nil, of: place.set, at: place.scene.daemon.moment).count == 1)
      #expect(place.scene.ledger.status().leases == 0)
      place.scene.restart()
      #expect(place.scene.ledger.status().leases == 0)
    }
  }
}

import CMicroHTTPD
import Glibc
import Leasehold
import LeaseholdHost
import Synchronization

/// The marks that tell whether a connection has been idle for too long; any thread may ask.
private struct Idling: ~Copyable {
  /// In nanoseconds of CLOCK_MONOTONIC; `neverIdle` while it is exempt.
  let since: Atomic<Int64>
  let keptOpen = Atomic<Bool>(false)
  let asked = Atomic<Bool>(false)
  let surplus = Atomic<Bool>(false)
}

/// Memory for what is noted of the current request of a connection.
struct RequestRoom: ~Copyable {
  /// Where ``HeaderTable`` keeps its slices.
  let headers = UnsafeMutablePointer<UnsafeBufferPointer<UInt8>>.allocate(capacity: HeaderTable.capacity)
  /// Where ``Arguments`` notes the plain values.
  let arguments = UnsafeMutablePointer<UInt32>.allocate(capacity: Arguments.capacity)

  deinit {
    headers.deallocate()
    arguments.deallocate()
  }
}

/// One TCP or Unix connection, from accept to close.
final class PeerConnection: @unchecked Sendable {
  /// Unique for as long as the process lives; never 0.
  let id: UInt64
  /// The peer, as the lock service knows peers.
  let peer: Peer
  /// The groups of a peer on a Unix socket beside its primary one; empty for root, which needs none.
  let groups: [UInt32]

  /// The caller that it counts for.
  ///
  /// Only for its own thread, or for the worker that has its exchange.
  var seat: Seat?
  /// The caller of the last request that had one; as the seat, for one thread at a time.
  var caller: Caller?

  let daemon: Daemon
  /// The daemon's: here it is called without being retained.
  let handler: any ExchangeHandler
  /// -1 from the moment libmicrohttpd is about to close it; under this lock it is never another connection's.
  private let socket: Mutex<Int32>
  private let idling: Idling

  // What follows belongs to the thread that serves the connection.
  let descriptor: Int32
  let mhd: OpaquePointer
  var current: Exchange?
  /// An exchange at rest, for the next request; forgotten with the socket.
  var rested: Exchange?
  let room = RequestRoom()
  /// The rest of an answer that went out early in part.
  var rest: EarlyRest?
  var target = ReusedBytes()
  /// Where the path begins in it; see ``Exchange/readTarget()``.
  var targetStart = 0
  var body = ReusedBytes()
  /// The Host that was found good last.
  private var knownHost = ReusedBytes()
  private var requestNumber: UInt64

  private static let neverIdle = Int64.max
  private static let lastID = Atomic<UInt64>(0)

  init(daemon: Daemon, mhd: OpaquePointer) {
    let descriptor = leasehold_mhd_descriptor(mhd)
    let now = HostClock.monotonic()
    self.id = Self.lastID.add(1, ordering: .relaxed).newValue
    self.daemon = daemon
    self.handler = daemon.handler
    self.mhd = mhd
    self.descriptor = descriptor
    self.peer = Peer(leasehold_mhd_peer_address(mhd), descriptor: descriptor)
    self.groups = self.peer.groups(descriptor)
    self.socket = Mutex(descriptor)
    self.idling = Idling(since: Atomic(now))
    // Any start will do: request ids are for finding lines in logs and must not repeat soon.
    self.requestNumber = UInt64(bitPattern: now) ^ (id << 40)
  }

  /// Returns true when it is the Host that was found good last.
  func isKnownHost(_ host: UnsafeBufferPointer<UInt8>) -> Bool {
    !host.isEmpty && UnsafeRawBufferPointer(host).hasBytes(of: UnsafeRawBufferPointer(knownHost.bytes))
  }

  /// Keeps a Host that was found good: nearly all requests of a connection have the same.
  func noteHost(_ host: UnsafeBufferPointer<UInt8>) {
    guard let base = host.baseAddress, host.count <= 255 else { return }
    knownHost.clear()
    _ = knownHost.append(base, count: host.count)
  }

  /// Lifts the idle timeout, or brings it back: a connection that leases are bound to may be silent for hours.
  func keepOpen(_ keep: Bool) { idling.keptOpen.store(keep, ordering: .relaxed) }

  /// True when the idle timeout is lifted.
  var isKeptOpen: Bool { idling.keptOpen.load(ordering: .relaxed) }

  /// Closes the connection from any thread: libmicrohttpd, or the watch, notices the shut socket.
  ///
  /// The corresponding C function is `shutdown`.
  func drop() {
    socket.withLock { if $0 >= 0 { _ = shutdown($0, Int32(SHUT_RDWR)) } }
  }

  /// Returns true when the socket shows no sign of the peer having gone.
  ///
  /// The corresponding C function is `poll`.
  func peerIsThere() -> Bool {
    var entry = pollfd(fd: descriptor, events: Int16(pollReadHangup), revents: 0)
    return poll(&entry, 1, 0) == 0
  }

  /// True when the head of a request has come.
  var hasAsked: Bool { idling.asked.load(ordering: .relaxed) }

  /// A request's head is there.
  func noteRequest(at now: Int64) {
    idling.asked.store(true, ordering: .relaxed)
    idle(since: now)
  }

  /// True when it is one too many, so that it closes after one answer.
  var isSurplus: Bool { idling.surplus.load(ordering: .relaxed) }

  /// Makes it one too many.
  func beSurplus() { idling.surplus.store(true, ordering: .relaxed) }

  /// Starts the idle timeout anew.
  func idle(since now: Int64) { idling.since.store(now, ordering: .relaxed) }

  /// Exempts the connection from the idle timeout: it is our turn, not the peer's.
  func exemptFromIdling() { idling.since.store(Self.neverIdle, ordering: .relaxed) }

  /// Returns true when the peer has been silent, or has not taken its answer, for too long.
  func isIdle(at now: Int64, timeout: Int64) -> Bool {
    let since = idling.since.load(ordering: .relaxed)
    return since < now && now - since > timeout && !isKeptOpen
  }

  /// Forgets the descriptor, which is about to be closed: its number may then be another file's.
  func forgetSocket() {
    rested = nil
    socket.withLock { $0 = -1 }
  }

  /// A number for the next request, well spread (SplitMix64), without a system call.
  func nextRequestNumber() -> UInt64 {
    requestNumber &+= 0x9E37_79B9_7F4A_7C15
    var mixed = requestNumber
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
  }
}

/// POLLRDHUP: the peer has shut down its sending side.
private let pollReadHangup: Int32 = 0x2000

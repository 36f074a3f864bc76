import CMicroHTTPD
import Glibc
import LeaseholdHost
import Synchronization

/// One libmicrohttpd daemon: one thread, one epoll set, its share of the connections.
///
/// A listener with several threads has several of these over duplicates of one listening socket; libmicrohttpd's own
/// pool does the same inside, but cannot be told to stop accepting without a race that aborts the process.
final class Daemon: @unchecked Sendable {
  let options: ListenerOptions
  let handler: any ExchangeHandler
  let watch: HangupWatch
  let owner: UInt64
  let droppedStreams = Atomic<Int>(0)
  let activeExchanges = Atomic<Int>(0)
  /// While set, every answer closes its connection.
  let draining = Atomic<Bool>(false)

  /// The response for a request that has its answer (``Exchange/finishEarly()``): an empty one, so that libmicrohttpd
  /// writes no length, for which it needs 38 divisions.
  let standIn = MHD_create_response_from_buffer(0, nil, .RESPMEM_PERSISTENT)
  /// Connections that were one too many.
  let refusedConnections = Atomic<Int>(0)
  /// The number of those that are open; only for the daemon's thread.
  private var surplus = 0

  /// Connections beyond the limit: for callers that are always served, and for telling others that they are not.
  static let reserve = 64
  /// The number of those that are told at a time that they are one too many, and the time that they have to ask, in
  /// nanoseconds.
  private static let told = 32
  private static let toldPatience: Int64 = 2_000_000_000

  /// True when what is sent goes over the socket as it is, without TLS.
  let isPlain: Bool
  /// Where answers are put together, one at a time; only for the daemon's thread.
  var scratch = ResponseBuffer(capacity: 2048)
  /// The Date of its answers; only for the daemon's thread.
  var date = DateField()

  private let quiescing = Atomic<QuiesceState>(.serving)
  private let suspended = Atomic<Int>(0)
  private let table = Mutex<[UInt64: PeerConnection]>([:])
  private var handle: OpaquePointer?
  /// See ``assertOwnThread()``.
  private let thread = Atomic<UInt>(0)
  private var listening: Int32

  /// Makes a daemon.
  /// - Parameter listening: A listening socket of its own.
  init(_ options: ListenerOptions, handler: any ExchangeHandler, watch: HangupWatch, owner: UInt64, listening: Int32) {
    self.options = options
    self.handler = handler
    self.watch = watch
    self.owner = owner
    isPlain = options.certificate == nil
    self.listening = listening
  }

  private var idleTimeout: Int64 { Int64(max(0, options.idleTimeoutSeconds) * 1e9) }
  private var firstRequestTimeout: Int64 { min(idleTimeout, Int64(max(0, options.firstRequestTimeoutSeconds) * 1e9)) }
  /// This thread's share of the listener's connections.
  private var connectionLimit: Int {
    max(1, (options.connectionLimit + options.threads - 1) / max(1, options.threads))
  }

  /// True when Date is written here.
  ///
  /// libmicrohttpd makes one even for the answer of its own that is dropped. Over TLS it sends pages of its own, which
  /// need one.
  var writesDate: Bool { isPlain && LibraryPages.areReplaced }

  deinit { if let standIn { MHD_destroy_response(standIn) } }

  /// Starts the thread.
  ///
  /// libmicrohttpd's own idle timeout stays off: it reads the clock and takes a mutex for each read and each write,
  /// and a connection with a timeout of its own is looked at in every turn of the loop.
  ///
  /// The corresponding C function is `MHD_start_daemon_va`.
  func start() throws(ServerError) {
    let box = Unmanaged.passUnretained(self).toOpaque()
    let socket = Self.identity(of: listening)
    var items = [
      item(MHD_OPTION.LISTEN_SOCKET, Int(listening)),
      item(MHD_OPTION.CONNECTION_LIMIT, connectionLimit + Self.reserve),
      item(MHD_OPTION.CONNECTION_MEMORY_LIMIT, options.connectionMemoryBytes),
      item(MHD_OPTION.CONNECTION_TIMEOUT, 0),
      item(MHD_OPTION.URI_LOG_CALLBACK, unsafeBitCast(targetCallback, to: Int.self), box),
      item(MHD_OPTION.UNESCAPE_CALLBACK, unsafeBitCast(unescapeCallback, to: Int.self), box),
      item(MHD_OPTION.NOTIFY_COMPLETED, unsafeBitCast(completedCallback, to: Int.self), box),
      item(MHD_OPTION.NOTIFY_CONNECTION, unsafeBitCast(connectionCallback, to: Int.self), box),
      item(MHD_OPTION.END, 0),
    ]
    let secrets = options.certificate.map(TLSTexts.init)
    if let secrets {
      items.insert(
        contentsOf: [
          item(MHD_OPTION.HTTPS_MEM_CERT, 0, secrets.certificate), item(MHD_OPTION.HTTPS_MEM_KEY, 0, secrets.key),
          item(MHD_OPTION.HTTPS_PRIORITIES, 0, secrets.priorities),
        ], at: 0)
    }
    let tls = secrets == nil ? 0 : MHD_USE_TLS.rawValue
    let flags =
      tls | MHD_USE_EPOLL_INTERNAL_THREAD.rawValue | MHD_ALLOW_SUSPEND_RESUME.rawValue
      | (writesDate ? MHD_USE_SUPPRESS_DATE_NO_CLOCK.rawValue : 0)
    defer { secrets?.wipe() }
    handle = items.withUnsafeMutableBufferPointer { items in
      guard let items = items.baseAddress else { return nil }
      return withVaList([MHD_OPTION.ARRAY.rawValue, OpaquePointer(items), MHD_OPTION.END.rawValue]) { list in
        HostThread.withoutSignals { MHD_start_daemon_va(flags, 0, nil, nil, requestCallback, box, list) }
      }
    }
    guard handle == nil else { return }
    // libmicrohttpd closes the socket in some of its failures, and does not say so: the number may be another's now.
    if Self.identity(of: listening) != socket { listening = -1 }
    throw .daemonRefused(options.endpoint.description)
  }

  /// The number that the kernel gave a socket for its life; `nil` for no open descriptor.
  private static func identity(of descriptor: Int32) -> UInt64? {
    var status = stat()
    return fstat(descriptor, &status) == 0 ? UInt64(status.st_ino) : nil
  }

  /// Stops accepting; returns when that is done.
  ///
  /// libmicrohttpd 0.9.75 aborts the process when it looks at its listening socket in the very moment in which another
  /// thread calls `MHD_quiesce_daemon`. A busy loop is therefore left to do it itself, between two requests; one that
  /// does not get to it soon is asleep and looks at nothing.
  func quiesce() {
    draining.store(true, ordering: .relaxed)
    _ = quiescing.compareExchange(expected: .serving, desired: .asked, ordering: .relaxed)
    for _ in 0..<40 where quiescing.load(ordering: .relaxed) == .asked { usleep(500) }
    quiesceIfAsked()
  }

  /// Stops accepting if that was asked for and not done yet.
  ///
  /// The corresponding C function is `MHD_quiesce_daemon`.
  func quiesceIfAsked() {
    guard quiescing.load(ordering: .relaxed) == .asked,
      quiescing.compareExchange(expected: .asked, desired: .quiesced, ordering: .relaxed).exchanged
    else { return }
    if let handle { MHD_quiesce_daemon(handle) }
  }

  /// Ends the thread and closes every connection.
  ///
  /// Nothing may be suspended, and nothing can be: the watch refuses.
  ///
  /// The corresponding C function is `MHD_stop_daemon`.
  func stop() {
    // libmicrohttpd closes the listening socket itself, unless it was quiesced.
    let isClosed = handle != nil && quiescing.load(ordering: .relaxed) != .quiesced
    if let handle { MHD_stop_daemon(handle) }
    handle = nil
    if !isClosed, listening >= 0 {
      let hasClosed = close(listening) == 0 || errno != EBADF
      precondition(hasClosed, "a listening socket is closed once: by now another thread may have its number")
    }
    listening = -1
  }

  /// Connections that are open.
  var connections: Int { table.withLock { $0.count } }

  /// Connections whose thread waits for no other.
  var suspendedConnections: Int { suspended.load(ordering: .acquiring) }

  /// Watches a connection for its target, and takes it out of the loop; does neither where it is not armed.
  ///
  /// On its thread, with the lock of what will resume it. The event may come before this is through; the watch's thread
  /// then waits for that lock.
  ///
  /// The corresponding C function is `MHD_suspend_connection`.
  func suspend(
    _ connection: PeerConnection, for target: any HangupWatch.Target, as suspension: inout Suspension
  ) -> HangupWatch.Arming {
    let arming = watch.arm(connection.descriptor, target, of: owner)
    guard case .armed(let token) = arming else { return arming }
    suspended.add(1, ordering: .relaxed)
    MHD_suspend_connection(connection.mhd)
    suspension = Suspension(token: token, mhd: connection.mhd)
    return arming
  }

  /// Puts a connection back into the loop, from any thread; does nothing for none.
  ///
  /// Before that the watch lets go: from then on libmicrohttpd may close the descriptor and the kernel may give it to
  /// another.
  ///
  /// The corresponding C function is `MHD_resume_connection`.
  func resume(_ suspension: Suspension) {
    watch.disarm(suspension.token)
    guard let mhd = suspension.mhd else { return }
    MHD_resume_connection(mhd)
    // This comes last: the thread that stops the daemon waits for it.
    suspended.subtract(1, ordering: .releasing)
  }

  /// Traps, in debug, on any thread but the daemon's: the one that its first connection was accepted on.
  @inline(__always)
  func assertOwnThread() {
    assert(
      { () -> Bool in
        let (taken, known) = thread.compareExchange(expected: 0, desired: pthread_self(), ordering: .relaxed)
        return taken || known == pthread_self()
      }(), "this belongs to the connection's thread")
  }

  func opened(_ connection: PeerConnection) {
    assertOwnThread()
    quiesceIfAsked()
    let others = table.withLock { table in
      defer { table[connection.id] = connection }
      return table.count
    }
    if others == 0 { watch.wakeUp() }
    guard handler.connectionOpened(connection, isFull: others - surplus >= connectionLimit) == .refused else { return }
    connection.beSurplus()
    refusedConnections.add(1, ordering: .relaxed)
    surplus += 1
    if surplus > Self.told { connection.drop() }
  }

  func closed(_ connection: PeerConnection) {
    table.withLock { $0[connection.id] = nil }
    if connection.isSurplus { surplus -= 1 }
  }

  private func item(_ option: MHD_OPTION, _ value: Int, _ pointer: UnsafeMutableRawPointer? = nil) -> MHD_OptionItem {
    MHD_OptionItem(option: option, value: value, ptr_value: pointer)
  }
}

/// The progress of a daemon with its last accept.
private enum QuiesceState: UInt8, AtomicRepresentable {
  case serving, asked, quiesced
}

/// A connection that libmicrohttpd does not look at, with the registration of the watch that does; the thread that has
/// this resumes it.
struct Suspension: @unchecked Sendable {
  fileprivate var token = HangupWatch.Token.none
  fileprivate var mhd: OpaquePointer?
  static let none = Suspension()
}

extension Daemon {
  /// True when a connection is open that may be idle for too long; ``HangupWatch/wakeUp()`` says that one is again.
  var mayHaveIdle: Bool { idleTimeout > 0 && table.withLock { !$0.isEmpty } }

  /// Closes the connections that have been idle for too long.
  func sweep(at now: Int64) {
    guard idleTimeout > 0 else { return }
    let idle = table.withLock { table in table.values.filter { $0.isIdle(at: now, timeout: timeout(of: $0)) } }
    for connection in idle { connection.drop() }
  }

  private func timeout(of connection: PeerConnection) -> Int64 {
    if connection.isSurplus { return min(idleTimeout, Self.toldPatience) }
    return connection.hasAsked ? idleTimeout : firstRequestTimeout
  }
}

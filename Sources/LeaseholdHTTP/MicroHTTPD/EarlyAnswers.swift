import CEarlyAnswer
import CMicroHTTPD
import Glibc
import Logging
import Synchronization

/// True when answers go out before libmicrohttpd gets to them, which rests on how it sends: tried once at the start,
/// and given up for good where it sent an answer of its own after all.
enum EarlyAnswers {
  private static let state = Atomic(leasehold_early_works())
  private static let unusedMarks = Atomic(0)
  private static let toldMarks = Atomic(0)
  /// The time that an answer of the trial may take.
  private static let patience = timeval(tv_sec: 2, tv_usec: 0)

  static var areOn: Bool { state.load(ordering: .relaxed) }

  /// Requests that libmicrohttpd answered a second time.
  static var repeated: Int { unusedMarks.load(ordering: .relaxed) }

  /// libmicrohttpd sent what it should not have.
  static func giveUp() {
    state.store(false, ordering: .relaxed)
    unusedMarks.add(1, ordering: .relaxed)
  }

  /// Asks a daemon of its own twice on one connection: exactly two answers must come back, or answers go the usual way.
  ///
  /// Blocks, for a millisecond where all is well.
  static func check(_ watch: HangupWatch, _ log: Logger) {
    guard areOn else { return }
    let answers = trial(watch)
    guard answers != 2 || repeated > 0 else { return }
    state.store(false, ordering: .relaxed)
    log.warning(
      "answers go out by way of libmicrohttpd, which costs time: a trial of the faster way failed",
      metadata: [
        "answers": .stringConvertible(answers), "requests": "2", "libmicrohttpd": "\(libmicrohttpdVersion())",
      ])
  }

  /// Says so where libmicrohttpd sent an answer of its own since the last time.
  static func tell(_ log: Logger) {
    let repeated = repeated
    guard toldMarks.exchange(repeated, ordering: .relaxed) < repeated else { return }
    log.warning(
      "libmicrohttpd sent an answer of its own behind one of ours; the connection was closed, answers go by its way",
      metadata: ["answers": .stringConvertible(repeated), "libmicrohttpd": "\(libmicrohttpdVersion())"])
  }

  /// Returns the number of answers that come to two requests.
  private static func trial(_ watch: HangupWatch) -> Int {
    let listening = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard listening >= 0 else { return 0 }
    let daemon = Daemon(
      ListenerOptions(.inherited(descriptor: listening)), handler: TrialHandler(), watch: watch,
      owner: HangupWatch.newOwner(), listening: listening)
    // With a family alone for an address, the kernel chooses a name that no file has (unix(7), autobind).
    var family = sockaddr(sa_family: sa_family_t(AF_UNIX), sa_data: sockaddr().sa_data)
    let isBound = bind(listening, &family, socklen_t(MemoryLayout<sa_family_t>.size)) == 0
    guard isBound, listen(listening, 1) == 0, (try? daemon.start()) != nil else {
      daemon.stop()
      return 0
    }
    defer { daemon.stop() }
    return SelfRequest.answers(to: 2, by: listening, within: patience)
  }
}

/// Answers whatever comes.
private final class TrialHandler: ExchangeHandler {
  func headersArrived(_ exchange: Exchange) {}

  func requestArrived(_ exchange: Exchange) -> Disposition { exchange.respond(Response(status: 200, text: "\n")) }

  func stopping(_ exchange: Exchange) -> Response { Response(status: 503, text: "\n") }
}

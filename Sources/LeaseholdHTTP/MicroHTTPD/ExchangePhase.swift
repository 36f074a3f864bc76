/// Where an exchange is, and what moves it on: pure, so that a test walks every way through it.
///
/// The thread that causes a step learns from its answer what is to be done, and no other thread does it:
///
///     running --park--> parked --resolve--> resolved          resolve before park: resolved, the answer is kept
///        |                 \----hang-up---> gone
///        |--beginWork--> working --endWork, an answer--> resolved
///                           |-----endWork, a wait------> parked
///                           |--resolve--> answered --endWork--> resolved, by the answer that was kept
///                           \--hang-up--> alone -----endWork--> gone
enum ExchangePhase: UInt8, Sendable, CaseIterable {
  /// The connection's thread has it.
  case running
  /// A worker has it while the connection is suspended.
  case working
  /// A worker has it, and an answer came from elsewhere: the listener stops, or a wait was over before it was known.
  case answered
  /// A worker has it, and the peer is gone.
  case alone
  /// It is suspended until it is answered.
  case parked
  /// An answer is decided.
  case resolved
  /// The peer went before there was an answer.
  case gone

  /// The fate of an answer.
  enum Resolution: Sendable {
    /// There was one before, or the peer is gone.
    case lost
    /// The one that has the exchange will send it.
    case kept
    /// The thread that brought it sends it, and then resumes the connection.
    case sent
  }

  /// Takes an answer.
  mutating func resolve() -> Resolution {
    switch self {
    case .running:
      self = .resolved
      return .kept
    case .working:
      self = .answered
      return .kept
    case .parked:
      self = .resolved
      return .sent
    case .answered, .alone, .resolved, .gone: return .lost
    }
  }

  /// The peer went.
  ///
  /// - Returns: True when the thread that saw it must call off the wait and resume the connection.
  mutating func hangUp() -> Bool {
    switch self {
    case .working:
      self = .alone
      return false
    case .parked:
      self = .gone
      return true
    case .running, .answered, .alone, .resolved, .gone: return false
    }
  }

  /// Returns true when the exchange is to be suspended: false where an answer was kept.
  ///
  /// On the connection's thread, when its endpoint waits.
  mutating func park() -> Bool {
    precondition(self == .running || self == .resolved, "it is parked by the thread that has it")
    guard self == .running else { return false }
    self = .parked
    return true
  }

  /// The connection is suspended, and a worker takes over.
  mutating func beginWork() {
    precondition(self == .running, "work begins where nobody waits yet")
    self = .working
  }

  /// The connection cannot be watched: its thread answers.
  mutating func refuse() {
    precondition(self == .running, "a suspended connection is watched")
    self = .resolved
  }

  /// The next step of a worker that is through with the endpoint.
  enum WorkEnd: Sendable {
    /// Nothing: the exchange is parked.
    case parks
    /// Sends its own answer and resumes the connection.
    case sends
    /// Sends the answer that was kept and resumes the connection; its own is lost.
    case sendsKept
    /// Calls off what it began and resumes the connection.
    case callsOff
  }

  /// A worker is through, with an answer or with a wait.
  mutating func endWork(hasAnswer: Bool) -> WorkEnd {
    switch self {
    case .working:
      self = hasAnswer ? .resolved : .parked
      return hasAnswer ? .sends : .parks
    case .answered:
      self = .resolved
      return .sendsKept
    case .alone:
      self = .gone
      return .callsOff
    case .running, .parked, .resolved, .gone: preconditionFailure("only who works ends work")
    }
  }
}

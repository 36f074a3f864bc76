/// An endpoint's word of itself.
enum Standing: Sendable, Equatable {
  /// It does not answer.
  case away
  /// It knows no leader: what it is handed waits, or is lost.
  case leaderless
  /// It follows a leader, or is one, of this term; 0 where it does not say.
  case follows(term: Int64, isLeader: Bool = false)
}

extension [Standing] {
  /// The endpoint that is the leader; `nil` where none says so, or others follow a newer one.
  ///
  /// A member that was cut off takes itself for the leader until it hears of the next one.
  var leader: Int? {
    var (newest, leader): (Int64, Int?) = (0, nil)
    for (index, standing) in enumerated() {
      guard case .follows(let term, let isLeader) = standing, term >= newest else { continue }
      if term > newest { (newest, leader) = (term, nil) }
      if isLeader { leader = index }
    }
    return leader
  }
}

/// The way of one call from an endpoint that did not answer it to the next one.
///
/// What was handed to a leader that is lost is never answered, and its followers go on to hand things to it until
/// another one is chosen. So at most two endpoints are asked in the term of one leader, as the leader may be slow
/// instead; the next one as soon as there is a new leader.
struct Detour {
  private static let trialsMax = 2

  /// The endpoints that were asked, by the term that they told of.
  private var trials: [Int64: Set<Int>] = [:]
  /// The endpoint that was asked before its term was known.
  private var first: Int?

  /// A way that begins with an endpoint.
  init(from first: Int) { self.first = first }

  /// Takes the endpoint to ask next; `nil` where a leader has to be chosen first.
  ///
  /// - Parameter last: The one that was asked last; those behind it come first.
  mutating func next(after last: Int, _ standings: [Standing]) -> Int? {
    if let first, case .follows(let term, _) = standings[first] { trials[term, default: []].insert(first) }
    first = nil
    var best: (index: Int, term: Int64)?
    for step in 1...standings.count {
      let index = (last + step) % standings.count
      guard case .follows(let term, _) = standings[index], term > best?.term ?? -1 else { continue }
      let asked = trials[term] ?? []
      if asked.count < Self.trialsMax, !asked.contains(index) { best = (index, term) }
    }
    guard let best else { return nil }
    trials[best.term, default: []].insert(best.index)
    return best.index
  }

  /// An endpoint answered that it could not: it may be asked once more in the same term.
  mutating func forgive(_ index: Int) {
    for term in trials.keys { trials[term]?.remove(index) }
  }
}

/// The rights of a caller; each role may do what those before it may, and is called as in the file of tokens.
enum Role: Comparable, Sendable, CaseIterable {
  /// Nothing but what needs no token at all: `/healthz`, `/readyz` and `/docs`.
  case nobody
  /// Look: GET and HEAD.
  case read
  /// Take, renew and give back locks; write semaphores and variables.
  case lock
  /// Make and remove sets and segments, use force, and end what others hold.
  case admin

  /// The name in the file of tokens.
  var name: String { "\(self)" }

  /// The role of a name in the file of tokens.
  init?(name: some StringProtocol) {
    guard let role = [Role.read, .lock, .admin].first(where: { $0.name == name }) else { return nil }
    self = role
  }
}

internal import HTTPExchange
internal import JSONText

/// The reason for which a call of etcd had no success.
package enum EtcdFailure: Error, Sendable, Equatable {
  /// Nothing was changed: no endpoint could be asked, or it was a question only.
  case unavailable(String)
  /// A change was sent, and no endpoint said how it went.
  case unknown(String)
  /// etcd answered that it will not; nothing was changed.
  case refused(Refusal, String)

  /// The part of a request that etcd did not like.
  package enum Refusal: Sendable, Equatable {
    /// The lease of a put is gone.
    case leaseGone
    /// The revision asked for is not kept any more.
    case compacted
    /// There is no JSON gateway.
    case noGateway
    /// The user, its password, or its role.
    case denied
    /// The request itself.
    case invalid
  }

  /// The words for people.
  package var reason: String {
    switch self {
    case .unavailable(let reason), .unknown(let reason), .refused(_, let reason): reason
    }
  }
}

/// The meaning of one endpoint's answer to one attempt.
enum Attempt {
  case answered(JSON)
  case refused(EtcdFailure.Refusal, String)
  /// The token is not valid any more.
  case wantsToken(String)
  /// Another endpoint may do it; whether this one did is another question.
  case failed(String, mayBeDone: Bool)

  /// The failure of a call that is not tried again, and that changes nothing.
  var failure: EtcdFailure {
    switch self {
    case .answered: .unavailable("an answer that does not belong there")
    case .refused(let refusal, let reason): .refused(refusal, reason)
    case .wantsToken(let reason): .refused(.denied, reason)
    case .failed(let reason, _): .unavailable(reason)
    }
  }

  /// Reads an answer of the gateway.
  init(_ response: Response, from endpoint: String) {
    let json = JSON(response.body)
    if response.status == 200, let json {
      self = .answered(json)
      return
    }
    let words = String(decoding: response.body.prefix(200), as: UTF8.self)
    let text = json?["message"].string ?? json?["error"].string ?? words
    let reason = "\(endpoint): \(text.filter { !$0.isNewline })"
    switch (response.status, json) {
    case (401, _): self = .wantsToken(reason)
    case (400, _) where text.contains("revision of auth store is old") || text.contains("user name is empty"):
      self = .wantsToken(reason)
    case (400, _) where text.contains("has been compacted"): self = .refused(.compacted, reason)
    case (400, _) where text.contains("authentication"): self = .refused(.denied, reason)
    case (404, nil): self = .refused(.noGateway, reason)
    case (404, _): self = .refused(text.contains("lease") ? .leaseGone : .invalid, reason)
    case (403, _): self = .refused(.denied, reason)
    case (400, _): self = .refused(.invalid, reason)
    case (429, _) where text.contains("too many requests"): self = .failed(reason, mayBeDone: false)
    default: self = .failed(reason, mayBeDone: true)
    }
  }
}

import Leasehold

// What HTTP adds to the errors of the lock service: its own codes, and words for what is wrong with a request.

extension LeaseholdError.Code {
  static let malformedRequest = Self(rawValue: "malformed-request")
  static let missingParameter = Self(rawValue: "missing-parameter")
  static let unknownParameter = Self(rawValue: "unknown-parameter")
  static let duplicateParameter = Self(rawValue: "duplicate-parameter")
  static let badJSON = Self(rawValue: "bad-json")
  static let badSerialized = Self(rawValue: "bad-serialized")
  static let unauthenticated = Self(rawValue: "unauthenticated")
  static let foreignOrigin = Self(rawValue: "foreign-origin")
  static let notFound = Self(rawValue: "not-found")
  static let methodNotAllowed = Self(rawValue: "method-not-allowed")
  static let notAcceptable = Self(rawValue: "not-acceptable")
  static let notRepresentable = Self(rawValue: "not-representable")
  static let bodyTooLarge = Self(rawValue: "body-too-large")
  static let uriTooLong = Self(rawValue: "uri-too-long")
  static let headersTooLarge = Self(rawValue: "headers-too-large")
  static let unknownVersion = Self(rawValue: "unknown-version")
  static let unsupportedMediaType = Self(rawValue: "unsupported-media-type")
  static let hostNotAllowed = Self(rawValue: "host-not-allowed")
  static let objectsRefused = Self(rawValue: "objects-refused")
  static let tooManySubscribers = Self(rawValue: "too-many-subscribers")
  static let degraded = Self(rawValue: "degraded")
  static let clockStalled = Self(rawValue: "clock-stalled")
  static let sysvUnavailable = Self(rawValue: "sysv-unavailable")
  static let tooManyConnections = Self(rawValue: "too-many-connections")
}

extension LeaseholdError {
  /// The detail, with the names of the locks that the first in the queue waits for.
  ///
  /// They come last and from the facts, because not every caller may see every name.
  var sentence: String {
    guard let busy = contention?.queuedFor, !busy.isEmpty else { return detail }
    return detail + " Busy: " + busy.prefix(8).map { "'\($0)'" }.joined(separator: ", ") + "."
  }

  /// The pause before the next try: 1...5 s.
  ///
  /// A lock may be released long before its lease would end, and a caller that is told to come back in an hour sleeps
  /// through it (`holders` tells when the leases end at the latest). With a shorter pause many callers are many
  /// requests.
  var pause: TimeSpan? { retryAfter.map { min(max($0, .seconds(1)), .seconds(5)) } }

  static func unknownParameter(_ name: String, known: ParameterSet) -> LeaseholdError {
    let names = known.names
    let name = name.excerpt
    return LeaseholdError(
      .unknownParameter,
      names.isEmpty
        ? "This request takes no parameters; leave '\(name)' out."
        : "This request has no parameter '\(name)'; it knows \(names.joined(separator: ", ")).",
      facts: [("parameter", .text(name)), ("known", .texts(names))])
  }

  static func invalid(_ parameter: Parameter, _ value: String, _ what: String) -> LeaseholdError {
    invalid(parameter.name, value, what)
  }

  static func invalid(_ name: String, _ value: String, _ what: String) -> LeaseholdError {
    LeaseholdError(
      .invalidParameter, "'\(name)' \(what).", facts: [("parameter", .text(name)), ("value", .text(value.excerpt))])
  }

  static func notOneOf(_ parameter: Parameter, _ value: String, _ words: [String]) -> LeaseholdError {
    invalid(parameter, value, "must be one of \(words.joined(separator: ", "))").adding([("allowed", .texts(words))])
  }

  static func missing(_ parameter: Parameter, _ what: String) -> LeaseholdError {
    LeaseholdError(
      .missingParameter, "'\(parameter.name)' is missing: \(what).", facts: [("parameter", .text(parameter.name))])
  }

  static func outOfRange(_ parameter: Parameter, _ value: String, _ minimum: Int, _ maximum: Int) -> LeaseholdError {
    outOfRange(parameter.name, value, .number(Int64(minimum)), .number(Int64(maximum)))
  }

  static func outOfRange(
    _ parameter: Parameter, _ value: String, _ minimum: TimeSpan, _ maximum: TimeSpan, _ hint: String = ""
  ) -> LeaseholdError {
    outOfRange(parameter.name, value, .text(minimum.text), .text(maximum.text), hint).adding([
      ("minimum_ms", .number(minimum.milliseconds)), ("maximum_ms", .number(maximum.milliseconds)),
    ])
  }

  static func outOfRange(
    _ name: String, _ value: String, _ minimum: Value, _ maximum: Value, _ hint: String = ""
  ) -> LeaseholdError {
    func shown(_ bound: Value) -> String {
      switch bound {
      case .number(let number): "\(number)"
      case .text(let text): text
      default: ""
      }
    }
    return LeaseholdError(
      .outOfRange, "'\(name)' must be \(shown(minimum))...\(shown(maximum))\(hint).",
      facts: [
        ("parameter", .text(name)), ("value", .text(value.excerpt)), ("minimum", minimum), ("maximum", maximum),
      ])
  }

  /// A text that is too short or too long.
  static func outOfRange(_ parameter: Parameter, _ value: String, bytes: ClosedRange<Int>) -> LeaseholdError {
    let (least, most) = (bytes.lowerBound, bytes.upperBound)
    return LeaseholdError(
      .outOfRange,
      "'\(parameter.name)' must have \(least)...\(most) bytes of UTF-8; this one has \(value.utf8.count).",
      facts: [
        ("parameter", .text(parameter.name)), ("value", .text(value.excerpt)), ("minimum", .number(Int64(least))),
        ("maximum", .number(Int64(most))),
      ])
  }

  static func badJSON(_ what: String, at offset: Int) -> LeaseholdError {
    LeaseholdError(
      .badJSON, "The body is not the JSON object that is read here: \(what) at byte \(offset).",
      facts: [("offset", .number(Int64(offset)))])
  }
}

extension String {
  /// As much of it as an error repeats: a Character may be of any length, a scalar may not.
  var excerpt: String { String(String.UnicodeScalarView(unicodeScalars.prefix(64))) }
}

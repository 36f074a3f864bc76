import Leasehold

/// An error as HTTP says it: RFC 9457 problem details.
///
/// Its members are those of ``Content``.
@dynamicMemberLookup
struct Problem: Error {
  typealias Fact = (name: String, value: LeaseholdError.Value)

  struct Content: Sendable {
    var code: ProblemCode
    /// One sentence that says what to do.
    var detail: String
    /// Members of its own.
    var facts: [Fact] = []
    /// Words that would have been right.
    var choices: (name: StaticString, words: [String])?
    /// Who is in the way.
    var contention: LockSnapshot?
    /// Who waits for whom, where waiting would never end.
    var circle: [DeadlockStep]?
    /// When trying again makes sense.
    var retryAfter: TimeSpan?
    /// The methods of the path, for 405.
    var allow: StaticString?
  }

  private var content: Boxed<Content>

  init(_ code: ProblemCode, _ detail: String, facts: [Fact] = []) {
    content = Boxed(Content(code: code, detail: detail, facts: facts))
  }

  /// An error of the lock service.
  ///
  /// Its codes are ours by name; a test compares the two lists.
  init(_ error: LeaseholdError) {
    content = Boxed(
      Content(
        code: ProblemCode(rawValue: error.code.rawValue) ?? .internalError, detail: error.detail, facts: error.facts,
        contention: error.contention, circle: error.circle, retryAfter: error.retryAfter))
  }

  subscript<Member>(dynamicMember path: WritableKeyPath<Content, Member>) -> Member {
    get { content.value[keyPath: path] }
    set { content.value[keyPath: path] = newValue }
  }

  /// The detail, with the names of the locks that the first in the queue waits for.
  ///
  /// They come last and from the facts, because not everybody may see every name.
  var sentence: String {
    guard let busy = self.contention?.queuedFor, !busy.isEmpty else { return self.detail }
    return self.detail + " Busy: " + busy.prefix(8).map { "'\($0)'" }.joined(separator: ", ") + "."
  }

  /// How long to leave before the next try: 1...5 s.
  ///
  /// A lock may be released long before its lease would end, and who is told to come back in an hour sleeps through it
  /// (when the leases end at the latest, `holders` tells). Shorter than that, many who ask are many requests.
  var pause: TimeSpan? { self.retryAfter.map { min(max($0, .seconds(1)), .seconds(5)) } }

  static func unknownParameter(_ name: String, known: ParameterSet) -> Problem {
    let names = known.names
    let name = name.excerpt
    var problem = Problem(
      .unknownParameter,
      names.isEmpty
        ? "This request takes no parameters; leave '\(name)' out."
        : "This request has no parameter '\(name)'; it knows \(names.joined(separator: ", ")).",
      facts: [("parameter", .text(name))])
    problem.choices = ("known", names)
    return problem
  }

  static func invalid(_ parameter: Parameter, _ value: String, _ what: String) -> Problem {
    Problem(
      .invalidParameter, "'\(parameter.name)' \(what).",
      facts: [("parameter", .text("\(parameter.name)")), ("value", .text(value.excerpt))])
  }

  static func notOneOf(_ parameter: Parameter, _ value: String, _ words: [String]) -> Problem {
    var problem = invalid(parameter, value, "must be one of \(words.joined(separator: ", "))")
    problem.choices = ("allowed", words)
    return problem
  }

  static func missing(_ parameter: Parameter, _ what: String) -> Problem {
    Problem(
      .missingParameter, "'\(parameter.name)' is missing: \(what).", facts: [("parameter", .text("\(parameter.name)"))])
  }

  static func outOfRange(_ parameter: Parameter, _ value: String, _ minimum: Int, _ maximum: Int) -> Problem {
    Problem(
      .outOfRange, "'\(parameter.name)' must be \(minimum)...\(maximum).",
      facts: [
        ("parameter", .text("\(parameter.name)")), ("value", .text(value.excerpt)),
        ("minimum", .number(Int64(minimum))), ("maximum", .number(Int64(maximum))),
      ])
  }

  static func outOfRange(
    _ parameter: Parameter, _ value: String, _ minimum: TimeSpan, _ maximum: TimeSpan, _ hint: String = ""
  ) -> Problem {
    Problem(
      .outOfRange, "'\(parameter.name)' must be \(minimum.text)...\(maximum.text)\(hint).",
      facts: [
        ("parameter", .text("\(parameter.name)")), ("value", .text(value.excerpt)),
        ("minimum", .text(minimum.text)), ("maximum", .text(maximum.text)),
        ("minimum_ms", .number(minimum.milliseconds)), ("maximum_ms", .number(maximum.milliseconds)),
      ])
  }

  static func badJSON(_ what: String, at offset: Int) -> Problem {
    Problem(
      .badJSON, "The body is not the JSON object that is read here: \(what) at byte \(offset).",
      facts: [("offset", .number(Int64(offset)))])
  }
}

extension String {
  /// As much of it as an error repeats: a Character may be of any length, a scalar may not.
  var excerpt: String { String(String.UnicodeScalarView(unicodeScalars.prefix(64))) }
}

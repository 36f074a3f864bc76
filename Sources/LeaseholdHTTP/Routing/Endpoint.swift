import Leasehold

/// One operation of the API.
///
/// All that the service knows of it stands in its row of ``all``: the path, the least role, what it reaches, and the
/// function that answers. A request knows its row by a pointer, which nobody counts.
struct Endpoint: Sendable {
  /// The function that answers a request.
  typealias Answer = @Sendable (borrowing Call) throws(LeaseholdError) -> Disposition

  /// The operationId of `openapi.yaml`.
  let operation: StaticString
  let method: HTTPMethod
  /// The word that Terraform has for the method; `nil` for all operations that it knows nothing of.
  let terraform: HTTPMethod?
  /// The path, with the captured segment in braces: `/locks/{key}/acquire`.
  let path: StaticString
  /// The names it takes.
  let parameters: ParameterSet
  /// The least role that may call it.
  let role: Role
  let reach: Reach
  let media: Media
  let body: Body
  let answer: Answer
  /// The position in ``all``.
  private(set) var number = -1

  init(
    _ operation: StaticString, _ method: HTTPMethod, _ path: StaticString, _ parameters: ParameterSet, _ role: Role,
    reach: Reach, media: Media = .json, body: Body = .parameters, terraform: HTTPMethod? = nil,
    _ answer: @escaping Answer
  ) {
    self.operation = operation
    self.method = method
    self.path = path
    self.parameters = parameters
    self.role = role
    self.reach = reach
    self.media = media
    self.body = body
    self.terraform = terraform
    self.answer = answer
  }

  /// Gives the rows their numbers, and a place where they stay.
  static func numbered(_ rows: [Endpoint]) -> UnsafeBufferPointer<Endpoint> {
    let memory = UnsafeMutableBufferPointer<Endpoint>.allocate(capacity: rows.count)
    _ = memory.initialize(from: rows)
    for number in memory.indices { memory[number].number = number }
    return UnsafeBufferPointer(memory)
  }

  /// Returns true when it answers a method; HEAD is answered wherever GET is.
  func takes(_ method: HTTPMethod) -> Bool {
    method == self.method || method == terraform || method == .head && self.method == .get
  }

  /// True when an answer may be long in coming, so that pages of other origins could use up connections with it.
  var mayStayOpen: Bool { parameters.contains(.wait) }

  /// True when it asks the engine for something that may take its time.
  var asksEngine: Bool {
    if case .service = reach { media == .jsonOrPage || media == .page } else { true }
  }

  /// The names that a token with restricted keys must cover.
  enum Reach {
    /// Nothing that has a name.
    case service
    /// Leases, by an id or an owner: looked at when they are found.
    case lease
    /// The lock in the path.
    case lock
    /// A list, of which `key` must choose an allowed part.
    case list
    /// The same, where a star behind `key` says that it is a prefix.
    case pattern
    /// The thing with this word before its name, which is a parameter's value or else the captured segment.
    case named(StaticString, Parameter?)

    // Semaphore sets are named like `sysv:` locks; segments, and the variables in them, `shm:` and the segment.
    static let set = named("sysv:", nil)
    static let sets = named("sysv:", .key)
    static let segment = named("shm:", nil)
    static let segments = named("shm:", .key)
    static let variable = named("shm:", .segment)
    static let state = named("terraform:", nil)
  }

  /// The forms of an answer, as far as `Accept` chooses one.
  enum Media {
    case json, jsonOrText
    /// JSON, or the page for browsers, which lists the locks.
    case jsonOrPage
    /// A page for browsers, whatever is asked for.
    case page
    /// Lines of JSON or of text, whatever is asked for.
    case linesOrText
    /// A form of its own; a value looks at `Accept` itself.
    case own

    /// True when it may be plain text.
    var offersText: Bool { self == .jsonOrText || self == .linesOrText }

    /// Returns true when there is a form that the caller takes.
    func suits(_ accept: Accept) -> Bool {
      switch self {
      case .json: accept.takesJSON
      case .jsonOrText: accept.takesJSON || accept.prefersText
      case .jsonOrPage: accept.takesJSON || accept.prefersHTML
      case .page, .linesOrText, .own: true
      }
    }
  }

  /// The kind of a request's body.
  enum Body {
    /// A list of parameters, as the query is.
    case parameters
    /// A value; parameters come from the query alone.
    case value
  }
}

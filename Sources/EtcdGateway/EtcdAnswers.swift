internal import JSONText

// The gateway's answers: numbers of 64 bits are strings, and what is zero, false or empty is left out.
extension JSON {
  /// A number of 64 bits; zero where it is not there.
  func int64(_ name: String) -> Int64 {
    switch self[name] {
    case .string(let digits), .number(let digits): Int64(digits) ?? 0
    default: 0
    }
  }

  /// The state of the store that answered.
  var headerRevision: Int64 { self["header"].int64("revision") }
}

extension EtcdEntry {
  /// A key of an answer; `nil` where it is none.
  init?(_ json: JSON) {
    guard let bytes = json["key"].string.flatMap({ Base64.decode($0) }),
      let key = bytes.withUnsafeBufferPointer({ String(utf8Bytes: $0) })
    else { return nil }
    self.init(key: key)
    value = json["value"].string.flatMap { Base64.decode($0) } ?? []
    (created, modified) = (json.int64("create_revision"), json.int64("mod_revision"))
    lease = json.int64("lease")
  }
}

extension EtcdListing {
  /// The answer to a question; in a transaction the revision is the whole's.
  init(_ json: JSON, revision: Int64? = nil) {
    entries = json["kvs"].elements.compactMap { EtcdEntry($0) }
    hasMore = json["more"].bool ?? false
    self.revision = revision ?? json.headerRevision
  }
}

extension EtcdOutcome {
  /// The answer to a transaction.
  init(_ json: JSON) {
    let revision = json.headerRevision
    let ranges = json["responses"].elements.map { $0["response_range"] }.filter { $0 != .null }
    self.init(
      isDone: json["succeeded"].bool ?? false, revision: revision,
      listings: ranges.map { EtcdListing($0, revision: revision) })
  }
}

/// A change that a watch tells of.
package enum EtcdEvent: Sendable, Equatable {
  case put(EtcdEntry)
  /// A key is gone since this revision.
  case deleted(String, at: Int64)
}

/// The next word of a watch.
package enum EtcdNews: Sendable, Equatable {
  /// It has begun; changes after this revision will be told.
  case created(Int64)
  /// Changes, in their order, up to this revision, of which there may be more.
  case changes([EtcdEvent], upTo: Int64)
  /// Nothing but that it is still there.
  case progress(Int64)
  /// It is over: what came before this revision is not kept any more.
  case compacted(Int64)
  /// It is over.
  case ended(String)

  /// Reads a line.
  init(line: [UInt8]) {
    guard let json = JSON(line) else {
      self = .ended("a line that is not JSON")
      return
    }
    let result = json["result"]
    if case .null = result {
      self = .ended(json["error"]["message"].string ?? json["error"].string ?? "\(json)")
      return
    }
    if result["canceled"].bool ?? false {
      let compacted = result.int64("compact_revision")
      self = compacted > 0 ? .compacted(compacted) : .ended(result["cancel_reason"].string ?? "it was canceled")
    } else if result["created"].bool ?? false {
      self = .created(result.headerRevision)
    } else {
      let events = result["events"].elements.compactMap { event -> EtcdEvent? in
        guard let entry = EtcdEntry(event["kv"]) else { return nil }
        return event["type"].string == "DELETE" ? .deleted(entry.key, at: entry.modified) : .put(entry)
      }
      self = events.isEmpty ? .progress(result.headerRevision) : .changes(events, upTo: result.headerRevision)
    }
  }
}

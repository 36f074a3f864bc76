import Leasehold
import SysVTypes

/// `/segments`: the segments of shared memory of this IPC namespace.
enum Segments {
  static func list(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let filter = try call.listFilter()
    let store = try call.variables
    let inventory = try store.segments(from: filter.cursor, limit: filter.limit)
    return call.json(capacity: 512 + inventory.entries.count * 384) { writer, json in
      json.open("segments")
      json.append(each: inventory.entries) { segment, json in
        writer.segment(segment, into: &json)
        json.append(UInt8(ascii: "}"))
      }
      limits(inventory, into: &json)
      json.member("next_cursor", inventory.nextCursor.map(String.init))
    }
  }

  private static func limits(_ inventory: SegmentInventory, into json: inout ResponseBuffer) {
    json.append(",\"limits\":{\"shmmax\":" as StaticString)
    json.append(decimal: UInt64(inventory.limits.byteCountMax))
    json.member("shmmin", Int(clamping: inventory.limits.byteCountMin))
    json.member("shmmni", inventory.limits.segments)
    json.next("shmall")
    json.append(decimal: UInt64(inventory.limits.pages))
    // Linux has no limit of its own for one process.
    json.append(",\"shmseg\":null},\"used\":{\"segments\":" as StaticString)
    json.append(decimal: inventory.usage.segments)
    json.member("pages", inventory.usage.pages)
    json.append(UInt8(ascii: "}"))
  }

  static func get(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let store = try call.variables
    let address = try call.segmentInPath()
    let segment = try store.segment(address, making: false)
    return call.answer(segment)
  }

  static func create(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let request = try call.segmentRequest()
    let (store, writer) = (try call.variables, call.writer)
    // Only a request that may write over a segment that is there needs the guard.
    let existing = request.initializes ? request.key.flatMap { try? store.segment(.key($0), making: false) } : nil
    return try GuardedRequest.run(call, key: existing?.guardKey) { () throws(LeaseholdError) in
      let creation = try store.create(request)
      var response = Response.json(creation.created ? 201 : 200) { json in
        writer.segment(creation.segment, into: &json)
        json.member("created", creation.created)
        json.member("initialized", creation.initialized)
        json.list("ignored", creation.created ? [] : ["size", "mode"])
      }
      if creation.created { response.add("Location", "/segments/\(creation.segment.text)") }
      return response
    }
  }

  static func change(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let store = try call.variables
    let address = try call.segmentInPath()
    let (uid, gid, mode) = (try call.identity(.uid), try call.identity(.gid), try call.permissionBits())
    let segment = try store.change(address, uid: uid, gid: gid, mode: mode)
    return call.answer(segment)
  }

  static func remove(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let store = try call.variables
    let address = try call.segmentInPath()
    let force = try call.flag(.force)
    let segment = try store.remove(address, force: force)
    return call.json { json in
      json.open("removed", true)
      json.member("segment", segment.text)
      json.member("id", Int(segment.id))
      json.member("nattch", segment.status.attachCount)
    }
  }

  static func read(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let store = try call.variables
    let address = try call.segmentInPath()
    let (offset, length) = (try call.number(.offset, 0, Int.max) ?? 0, try call.number(.length, 0, Int.max))
    let bytes = try store.read(address, offset: offset, length: length)
    return call.respond(Response(status: 200, contentType: "application/octet-stream", body: ResponseBuffer(bytes)))
  }

  static func write(_ call: borrowing Call) throws(LeaseholdError) -> Disposition {
    let store = try call.variables
    let address = try call.segmentInPath()
    let type = MediaType(call.exchange.header(.contentType))
    guard type == .bytes || type == .form || call.exchange.header(.contentType) == nil else {
      throw LeaseholdError(
        .unsupportedMediaType, "The bytes of a segment come as application/octet-stream; values go to /shm/{var}.")
    }
    let bytes = Array(call.exchange.body)
    let offset = try call.number(.offset, 0, Int.max) ?? 0
    let length = try call.number(.length, bytes.count, Int.max) ?? bytes.count
    let segment = try store.write(bytes, to: address, offset: offset, length: length)
    return call.json { json in
      json.open("written_bytes", length)
      json.member("segment", segment.text)
      json.member("id", Int(segment.id))
      json.member("offset", offset)
    }
  }
}

extension Call {
  /// The request for a new segment.
  fileprivate func segmentRequest() throws(LeaseholdError) -> SegmentRequest {
    let key = try IPCObject.segment.newKey(arguments[.key])
    let size = try number(.size, 40, Int.max) ?? 10_000
    let mode = try permissionBits() ?? 0o666
    let initializes = try flag(.`init`)
    var request = SegmentRequest(key: key == 0 ? nil : key, byteCount: size, mode: mode, initializes: initializes)
    request.account = caller.account
    return request
  }

  /// A segment as an answer.
  fileprivate func answer(_ segment: SegmentInfo) -> Disposition {
    json { writer.segment(segment, into: &$0) }
  }
}

extension AnswerWriter {
  /// A segment, left open for more members.
  fileprivate func segment(_ segment: SegmentInfo, into json: inout ResponseBuffer) {
    let status = segment.status
    ipc(segment.id, status.permissions, into: &json)
    json.member("size_bytes", status.byteCount)
    json.member("nattch", status.attachCount)
    json.member("dest", status.isMarkedForRemoval)
    json.member("cpid", Int(status.creatorProcessID))
    json.member("lpid", Int(status.lastProcessID))
    json.member("atime_seconds", status.attachedAtSeconds.map(Int.init))
    json.member("dtime_seconds", status.detachedAtSeconds.map(Int.init))
    json.member("ctime_seconds", Int(status.changedAtSeconds))
    json.member("word_bits", segment.wordBits)
    json.member("leasehold", segment.isOwn)
  }
}

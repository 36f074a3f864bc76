internal import HTTPExchange
internal import LeaseholdHost

/// Changes of keys as etcd tells them; `next` for one thread, `cancel` for any.
///
/// Silence says nothing: a member that is cut off keeps its watches open.
package final class EtcdWatch: Sendable {
  /// A line may hold many changes.
  private static let lineMax = 64 << 20

  private let member: EtcdMember
  private let connection: HTTPConnection
  private let reader: ResponseReader

  init(_ member: EtcdMember, _ request: [UInt8], token: String?, before deadline: Int64) throws(EtcdFailure) {
    (self.member, connection) = (member, HTTPConnection(member.peer))
    let refusal: [UInt8]
    do throws(HTTPFailure) {
      reader = try connection.begin(member.request("POST", "/v3/watch", request, token), before: deadline)
      if reader.status == 200 { return }
      refusal = try reader.readBody(deadline: deadline)
    } catch {
      throw .unavailable("\(member.name): \(member.words(of: error))")
    }
    throw Attempt(Response(status: reader.status, body: refusal), from: member.name).failure
  }

  /// Waits for what comes next, until the deadline; `nil` when nothing came.
  package func next(before deadline: Int64) -> EtcdNews? {
    do throws(HTTPFailure) {
      guard let line = try reader.readLine(deadline: deadline, bytesMax: Self.lineMax) else {
        return .ended("\(member.name) closed the watch")
      }
      return EtcdNews(line: line)
    } catch .timedOut {
      return nil
    } catch {
      return .ended("\(member.name): \(member.words(of: error))")
    }
  }

  /// Ends the watch; a thread that waits on it is told at once.
  package func cancel() { connection.abort() }
}

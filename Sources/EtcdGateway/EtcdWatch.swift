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
    self.member = member
    let connection = HTTPConnection(member.peer)
    self.connection = connection
    let refusal: [UInt8]?
    do throws(HTTPFailure) {
      reader = try member.stream("/v3/watch", request, token: token, over: connection, before: deadline)
      refusal = reader.status == 200 ? nil : try reader.readBody(deadline: deadline)
    } catch {
      throw .unavailable("\(member.name): \(member.words(of: error))")
    }
    guard let refusal else { return }
    let response = Response(status: reader.status, body: refusal)
    throw Attempt(response, from: member.name).failure
  }

  /// The endpoint that tells.
  package var endpoint: String { member.name }

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

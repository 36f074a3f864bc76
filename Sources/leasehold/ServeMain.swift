internal import Logging

/// Serves until it is told to stop.
///
/// - Returns: The status to end with.
func serve(_ settings: ServeSettings, log: Logger) async throws -> ExitStatus {
  log.error("the service is not wired in", metadata: ["host": "\(settings.host)", "port": "\(settings.port)"])
  return .software
}

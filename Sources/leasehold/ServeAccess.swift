internal import LeaseholdHTTP
internal import Logging
import UnixSignals

extension ServeSettings {
  /// The settings of the HTTP server, with the certificate and the key that they name.
  func serverOptionsWithSecrets() throws(SettingsError) -> ServerOptions {
    var options = serverOptions
    guard let tlsCertificatePath, let tlsKeyPath else { return options }
    do {
      options.tls = (try SecretFile.read(tlsCertificatePath, isSecret: false), try SecretFile.read(tlsKeyPath))
    } catch {
      throw SettingsError("--tls-cert, --tls-key: \(error)")
    }
    return options
  }

  /// Says what is open that might better not be.
  func warnOfOpenDoors(_ log: Logger) {
    guard tokenFile != nil, tlsCertificatePath == nil else { return }
    if ResolvedSettings.isLoopback(host) {
      log.info("tokens travel without TLS, on this host alone", metadata: ["host": "\(host)"])
    } else {
      log.warning(
        "INSECURE: tokens travel over the network without TLS, and whoever reads one has it; see --tls-cert",
        metadata: ["host": "\(host)"])
    }
  }
}

/// Reads the file of tokens again whenever SIGHUP comes.
func reloadTokens(of server: Server, at signals: UnixSignalsSequence, log: Logger) -> Task<Void, Never> {
  Task {
    for await _ in signals {
      do {
        if let count = try server.reloadTokens() {
          log.info("read the tokens again", metadata: ["tokens": "\(count)"])
        } else {
          log.info("nothing to read again: there is no --token-file")
        }
      } catch {
        log.error("the tokens stay as they were", metadata: ["reason": "\(error)"])
      }
    }
  }
}

import Glibc
import SystemPackage

/// A Perl program in a process of its own; killed and waited for at the end of its scope.
package struct ChildProcess: ~Copyable {
  package let id: Int32

  package init(perl program: String, _ arguments: [String] = []) throws {
    var words: [UnsafeMutablePointer<CChar>?] = (["perl", "-e", program] + arguments).map { strdup($0) } + [nil]
    defer { words.forEach { free($0) } }
    // A thread of libdispatch has all signals blocked, and a child inherits that.
    var attributes = posix_spawnattr_t()
    var signals = sigset_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
    var id = pid_t()
    let result = posix_spawn(&id, "/usr/bin/perl", nil, &attributes, &words, environ)
    if result != 0 { throw Errno(rawValue: result) }
    self.id = id
  }

  package func terminate() { kill(id, SIGTERM) }

  /// Kills it now rather than at the end of the scope.
  package consuming func end() {}

  deinit {
    kill(id, SIGKILL)
    waitpid(id, nil, 0)
  }
}

import Glibc
import SystemPackage

/// A Perl one-liner in a process of its own; killed and waited for at the end of its scope.
struct ChildProcess: ~Copyable {
  let id: pid_t

  init(perl program: String, _ arguments: [String] = []) throws(Errno) {
    var words: [UnsafeMutablePointer<CChar>?] = (["perl", "-e", program] + arguments).map { strdup($0) } + [nil]
    defer { words.forEach { free($0) } }
    var id = pid_t()
    let result = posix_spawn(&id, "/usr/bin/perl", nil, nil, &words, environ)
    if result != 0 { throw Errno(rawValue: result) }
    self.id = id
  }

  /// Kills it now rather than at the end of the scope.
  consuming func end() {}

  deinit {
    kill(id, SIGKILL)
    waitpid(id, nil, 0)
  }
}

import Glibc
import SysV
import SystemPackage

/// A Perl program in a process of its own; killed and waited for at the end of its scope.
struct ChildProcess: ~Copyable {
  let id: pid_t

  init(perl program: String) throws(Errno) {
    let arguments: [String] = ["perl", "-e", program]
    var words: [UnsafeMutablePointer<CChar>?] = arguments.map { strdup($0) } + [nil]
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

  /// A native program that takes units of a semaphore with SEM_UNDO and keeps them until it is killed, or until it gets
  /// SIGTERM and gives them back.
  static func holding(_ units: Int = 1, of semaphore: Int, in set: SemaphoreSet) throws -> ChildProcess {
    let before = try set.value(of: semaphore)
    let child = try ChildProcess(
      perl: """
        my $stop = 0;
        $SIG{TERM} = sub { $stop = 1 };
        semop(\(set.id), pack("s!3", \(semaphore), -\(units), 010000)) or die;
        sleep 1 until $stop;
        semop(\(set.id), pack("s!3", \(semaphore), \(units), 010000)) or die;
        sleep 1 while 1;
        """)
    try eventually { try set.value(of: semaphore) == before - UInt16(units) }
    return child
  }

  func terminate() { kill(id, SIGTERM) }

  /// Kills it now rather than at the end of the scope.
  consuming func end() {}

  deinit {
    kill(id, SIGKILL)
    waitpid(id, nil, 0)
  }
}

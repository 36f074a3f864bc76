import HostTestKit
import SysV
import SystemPackage

extension ChildProcess {
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
}

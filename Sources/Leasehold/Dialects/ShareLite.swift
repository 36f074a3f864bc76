/// IPC::ShareLite and IPC::Shareable: a set of three beside each share: a marker, readers, writers.
///
/// The operations are those of ``ApacheDialect`` on the last two, of IPC::ShareLite 0.17 and of IPC::Shareable 1.13,
/// which copied them. The marker is the modules' own: it says whether the shared memory beside it was begun.
public enum ShareLite {
  /// Semaphores of a set.
  public static let semaphores = 3
  /// Counts readers; the writers' is the next one.
  public static let reader = 1
}

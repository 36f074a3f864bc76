internal import CSupervise
internal import Glibc

/// Gives a terminal back whatever signal ends the process: a shell cannot use a screen without lines and cursor.
enum ScreenKeeper {
  /// Once a process.
  ///
  /// - Parameters:
  ///   - settings: Those of standard input from before; `nil` when it is no terminal.
  ///   - text: What makes the screen what it was.
  static func keep(_ settings: termios?, text: String) {
    var before = settings ?? termios()
    csupervise_keep_screen(settings == nil ? -1 : STDIN_FILENO, &before, STDOUT_FILENO, text)
  }
}

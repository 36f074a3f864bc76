import Glibc

/// Writes a short file, for example one in /proc/sys.
func writeFile(_ path: String, _ text: String) -> Bool {
  guard let file = fopen(path, "w") else { return false }
  let written = fputs(text, file)
  return fclose(file) == 0 && written >= 0
}

/// `docs/settings.md`, made from the table of settings.
enum SettingsMarkdown {
  static var text: String {
    introduction + SettingSection.all.map(section).joined() + statuses
  }

  private static let introduction = """
    # Settings of `leasehold serve`

    <!-- Written by `leasehold settings-markdown`; do not edit. -->

    A setting is taken from the first of these places that has it:

    1. its flag: `--ttl-max 2h`
    2. the environment: `LEASEHOLD_TTL_MAX=2h`
    3. the file: `{"ttl-max": "2h"}`
    4. its default

    The file is one JSON object with the names of the flags. `#` and `//` begin a comment, which ends with the line. A
    comma may stand behind the last setting:

    ```
    {
      "unix": "/run/leasehold/leasehold.sock",  # for members of the group leasehold
      # "host": "none",                         # no TCP port
    }
    ```

    You name the file with `--config PATH` or `LEASEHOLD_CONFIG`; then it must exist. Otherwise
    `\(SettingsFile.systemPath)` is read when it exists. An unknown name in the file is an error. An unknown
    variable `LEASEHOLD_…` is a warning in the log. Errors name the line and the column.

    - Durations: `250ms`, `30s`, `1.5m`, `2h`; a bare number is seconds.
    - Sizes: `16KiB`, `1MiB`, `1GiB` or plain bytes.
    - Lists: separated by commas; in the file also an array of strings.
    - Truth values: `true` or `false`; on the command line `--standby` or `--no-standby`.

    `leasehold serve --check` prints every setting that is in force and where it came from (`--json`: as JSON). It
    serves nothing. Its status is not 0 when a setting cannot be used, or when a file that a setting names cannot be
    read. `--print-config` is the same.

    `ttl-min` must not be more than `ttl-default`, and that not more than `ttl-max`. A `host` that is not a loopback
    address needs `token-file`, and either `tls-cert` with `tls-key` or `insecure-plain-http`: see
    [access.md](access.md).



    """

  private static func section(_ section: SettingSection) -> String {
    let rows = section.settings.filter { !$0.isHidden }.map { setting in
      let fallback = setting.fallback.isEmpty ? "none" : "`\(setting.fallback)`"
      return "| `\(setting.flag)` | `\(setting.environmentName)` | \(fallback) | \(setting.kind.rangeText ?? "") "
        + "| \(setting.help) |\n"
    }
    return """
      ## \(section.title)

      | flag | environment | default | range | meaning |
      |---|---|---|---|---|
      \(rows.joined())

      """
  }

  private static var statuses: String {
    let rows = ExitStatus.allCases.map { "| \($0.rawValue) | \($0.meaning) |\n" }
    return """
      ## Exit statuses

      | status | meaning |
      |---|---|
      \(rows.joined())
      """
  }
}

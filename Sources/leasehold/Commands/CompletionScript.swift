/// The part that the parser's completion scripts lack: the words of the command that `run` runs are that command's own.
enum CompletionScript {
  /// The script of a shell with that in it.
  static func completed(_ script: String, shell: String) -> String {
    switch shell {
    case "bash":
      script.replacing("complete -o filenames -F _leasehold leasehold", with: "") + "\n"
        + bash.replacing("VALUED", with: FlockLetters.valuedWords.joined(separator: "|"))
    case "zsh": zsh(script)
    case "fish": script + "\n" + fish
    default: script
    }
  }

  /// The lock stands before the words of the command line, and may have a `--` behind it.
  private static let command = #"""
            '*::command:{ shift words; ((CURRENT--))
                if [[ $words[1] == -- ]]; then shift words; ((CURRENT--)); fi
                _normal }'
    """#

  /// The first word of `run` is the lock, the others are a command line.
  private static func zsh(_ script: String) -> String {
    var isInRun = false
    return script.split(separator: "\n", omittingEmptySubsequences: false).map { line in
      if line.hasPrefix("_leasehold_") { isInRun = line.hasPrefix("_leasehold_run()") }
      guard isInRun, line.contains("'*:lock:") else { return String(line) }
      return line.replacing("'*:lock:", with: "'1:lock:") + "\n" + command
    }.joined(separator: "\n")
  }

  private static let bash = #"""
    # The words of the command that `run` runs are completed as that command's own.
    _leasehold_or_command() {
        local -i at=0 locks=0 index
        if [[ "${COMP_WORDS[1]}" == run ]]; then
            for ((index = 2; index < COMP_CWORD && at == 0; index++)); do
                if [[ "${COMP_WORDS[index]}" == -- ]]; then at=index+1; fi
            done
            for ((index = 2; index <= COMP_CWORD && at == 0; index++)); do
                case "${COMP_WORDS[index]}" in
                VALUED) index+=1 ;;
                -*) ;;
                *)
                    locks+=1
                    if ((locks == 2)); then at=index; fi
                    ;;
                esac
            done
        fi
        if ((at == 0 || at > COMP_CWORD)); then
            _leasehold "$@"
        elif declare -F _command_offset >/dev/null; then
            _command_offset "${at}"
        elif ((at == COMP_CWORD)); then
            mapfile -t COMPREPLY < <(compgen -c -- "${COMP_WORDS[COMP_CWORD]}")
        else
            mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
        fi
    }

    complete -o filenames -F _leasehold_or_command leasehold

    """#

  private static let fish = #"""
    # The words of the command that `run` runs are completed as that command's own.
    function __leasehold_has_command
        set -l words (commandline -opc)
        test "$words[2]" = run; and contains -- -- $words
    end
    function __leasehold_complete_command
        set -l words (commandline -opc) (commandline -ct)
        set -l at (contains -i -- -- $words)
        complete -C (string join ' ' -- (string escape -- $words[(math $at + 1)..]))
    end
    complete -c leasehold -n __leasehold_has_command -x -a '(__leasehold_complete_command)'

    """#
}

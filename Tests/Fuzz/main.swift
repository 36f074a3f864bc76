// Feeds changed and made-up bytes to what reads PHP's variables: see README.md beside this file.
//
//     leasehold-fuzz [--seconds 5] [--seed 7] [--corpus Tests/Fuzz/corpus.txt]

import Glibc
import PHPVariables

/// What the command line says.
struct Options {
  var seconds = 5
  var seed = UInt64.random(in: 0...UInt64(UInt32.max))
  var corpus = "Tests/Fuzz/corpus.txt"

  init(_ arguments: [String]) {
    var rest = arguments.dropFirst()
    while let name = rest.popFirst(), let value = rest.popFirst() {
      switch name {
      case "--seconds": seconds = Int(value) ?? seconds
      case "--seed": seed = UInt64(value) ?? seed
      case "--corpus": corpus = value
      default: fail("unknown option \(name)")
      }
    }
  }
}

/// Ends with what is wrong.
func fail(_ what: String) -> Never {
  print("FAILED: \(what)")
  exit(1)
}

/// What is read at the start: one input a line, its kind and its bytes in hexadecimal.
func readCorpus(_ path: String) -> [(kind: String, bytes: [UInt8])] {
  guard let file = fopen(path, "r") else { fail("cannot read \(path)") }
  defer { fclose(file) }
  var inputs: [(kind: String, bytes: [UInt8])] = []
  var line: UnsafeMutablePointer<CChar>?
  var capacity = 0
  while getline(&line, &capacity, file) > 0, let text = line.map({ String(cString: $0) }) {
    let words = text.split { $0 == " " || $0 == "\n" }
    guard words.count >= 1, words[0] != "#" else { continue }
    let digits = words.count > 1 ? Array(words[1].utf8) : []
    let bytes = stride(from: 0, to: digits.count - 1, by: 2).compactMap { index in
      UInt8(String(decoding: digits[index...index + 1], as: UTF8.self), radix: 16)
    }
    inputs.append((String(words[0]), bytes))
  }
  free(line)
  return inputs
}

let options = Options(CommandLine.arguments)
print("seed \(options.seed), \(options.seconds) s")
fflush(nil)
let corpus = readCorpus(options.corpus)
guard !corpus.isEmpty else { fail("the corpus is empty") }
var random = Source(state: options.seed)
let end = time(nil) + options.seconds
var rounds = 0
var accepted = 0
while time(nil) < end {
  for _ in 0..<200 {
    // One number names a round: a crash is repeated with its seed.
    let input = corpus[random.below(corpus.count)]
    let bytes = random.mutate(input.bytes, with: corpus[random.below(corpus.count)].bytes)
    switch input.kind {
    case "segment": accepted += SegmentCheck(bytes).run(&random) ? 1 : 0
    case "serialized": accepted += checkSerialized(bytes) ? 1 : 0
    default: accepted += checkJSON(bytes) ? 1 : 0
    }
    rounds += 1
  }
}
print("\(rounds) inputs, \(accepted) of them accepted")
// A run that accepts nothing, or everything, looks at one side only.
guard accepted > 0, accepted < rounds else { fail("\(accepted) of \(rounds) accepted") }
